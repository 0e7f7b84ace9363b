import type { CacheStats } from '../cache/watch/stats.ts'

/** One line of a scrape. The `suffix` is appended to the name of its family. */
interface Sample {
  readonly value: number
  readonly labels?: Readonly<Record<string, string>>
  readonly suffix?: '_bucket' | '_sum' | '_count'
}

/** A metric, and what it reads from the stats of a cache. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  read(stats: CacheStats): readonly Sample[]
}

const BREAKER_STATES = ['closed', 'half-open', 'open'] as const

/** Names and units follow Prometheus: seconds, and `_total` for counters. */
export const families: readonly Family[] = [
  {
    name: 'herdlock_cache_requests_total',
    help: 'Calls of getOrRefill, by how they were answered and from which tier.',
    type: 'counter',
    read: ({ tiers, misses, coalesced }) => [
      { labels: { result: 'hit', tier: 'memory' }, value: tiers.memory.hits },
      { labels: { result: 'hit', tier: 'redis' }, value: tiers.redis.hits },
      { labels: { result: 'stale', tier: 'memory' }, value: tiers.memory.staleHits },
      { labels: { result: 'stale', tier: 'redis' }, value: tiers.redis.staleHits },
      { labels: { result: 'miss', tier: 'none' }, value: misses },
      { labels: { result: 'coalesced', tier: 'none' }, value: coalesced },
    ],
  },
  {
    name: 'herdlock_loader_duration_seconds',
    help: 'Time that loaders took, failed ones too; of a batch each key counts.',
    type: 'histogram',
    read: ({ loadTime: { bounds, counts, count, sum } }) => {
      let below = 0
      const buckets = counts.map((own, at) => {
        const bound = bounds[at]
        const le = bound === undefined ? '+Inf' : String(bound / 1000)
        return { suffix: '_bucket', labels: { le }, value: (below += own) } as const
      })
      return [...buckets, { suffix: '_sum', value: sum / 1000 }, { suffix: '_count', value: count }]
    },
  },
  {
    name: 'herdlock_loader_failures_total',
    help: 'Loads that failed.',
    type: 'counter',
    read: ({ refillFailures }) => [{ value: refillFailures }],
  },
  {
    name: 'herdlock_cache_waits_total',
    help: 'Refills that waited for another process.',
    type: 'counter',
    read: ({ waits }) => [{ value: waits.count }],
  },
  {
    name: 'herdlock_cache_wait_seconds_total',
    help: 'Time that refills waited for another process.',
    type: 'counter',
    read: ({ waits }) => [{ value: waits.sum / 1000 }],
  },
  {
    name: 'herdlock_cache_leases_lost_total',
    help: 'Leases that were lost while a loader ran.',
    type: 'counter',
    read: ({ leasesLost }) => [{ value: leasesLost }],
  },
  {
    name: 'herdlock_cache_invalid_values_total',
    help: 'Values of Redis that a schema refused.',
    type: 'counter',
    read: ({ invalidValues }) => [{ value: invalidValues }],
  },
  {
    name: 'herdlock_cache_unshared_responses_total',
    help: 'Responses that a middleware did not share, for their own sake: private, uncacheable, too large.',
    type: 'counter',
    read: ({ unshared }) => [{ value: unshared }],
  },
  {
    name: 'herdlock_cache_invalidations_total',
    help: 'Invalidations, made by this process or told by another.',
    type: 'counter',
    read: ({ invalidations }) => [{ value: invalidations }],
  },
  {
    name: 'herdlock_cache_errors_total',
    help: 'Errors reported that cost no caller an answer.',
    type: 'counter',
    read: ({ errors }) => [{ value: errors }],
  },
  {
    name: 'herdlock_cache_entries',
    help: 'Entries in memory.',
    type: 'gauge',
    read: ({ entries }) => [{ value: entries }],
  },
  {
    name: 'herdlock_cache_bytes',
    help: 'Encoded size of the values in memory; only where memory.maxBytes is set.',
    type: 'gauge',
    read: ({ bytes }) => (bytes === undefined ? [] : [{ value: bytes }]),
  },
  {
    name: 'herdlock_cache_flights',
    help: 'Flights under way.',
    type: 'gauge',
    read: ({ flights }) => [{ value: flights }],
  },
  {
    name: 'herdlock_cache_loads_running',
    help: 'Loads of this process that run now; only where maxLoads is set.',
    type: 'gauge',
    read: ({ limit }) => (limit === undefined ? [] : [{ value: limit.running }]),
  },
  {
    name: 'herdlock_cache_loads_waiting',
    help: 'Loads of this process that stand in line for a slot; only where maxLoads is set.',
    type: 'gauge',
    read: ({ limit }) => (limit === undefined ? [] : [{ value: limit.waiting }]),
  },
  {
    name: 'herdlock_cache_loads_refused_total',
    help: 'Loads for which no slot became free in time; only where maxLoads is set.',
    type: 'counter',
    read: ({ limit }) => (limit === undefined ? [] : [{ value: limit.refused }]),
  },
  {
    name: 'herdlock_redis_errors_total',
    help: 'Operations on Redis that failed or were not answered in time.',
    type: 'counter',
    read: ({ redis }) => redis.map(({ instance, errors }) => ({ labels: { redis: instance }, value: errors })),
  },
  {
    name: 'herdlock_redis_breaker',
    help: '1 for the state that the breaker before Redis is in, 0 for the others.',
    type: 'gauge',
    read: ({ redis }) =>
      redis.flatMap(({ instance, breaker }) =>
        BREAKER_STATES.map((state) => ({ labels: { redis: instance, state }, value: Number(state === breaker) })),
      ),
  },
]
