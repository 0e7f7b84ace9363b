import type { Attributes, BatchObservableResult, Meter, Observable } from '@opentelemetry/api'
import type { Cache } from '../cache/cache.ts'
import type { CacheStats } from '../cache/watch/stats.ts'
import { BREAKER_STATE, CACHE_NAME, CACHE_RESULT, CACHE_TIER, REDIS_INSTANCE } from './attributes.ts'

type Observe = (value: number, attributes?: Attributes) => void

/** An instrument, and what it reads from the stats of a cache. */
interface Reading {
  readonly instrument: Observable
  read(stats: CacheStats, observe: Observe): void
}

/** Reads the stats of caches when metrics are collected. Calls of a cache cost nothing more. */
export function observeCaches(meter: Meter, caches: readonly Pick<Cache, 'name' | 'stats'>[]): () => void {
  const readings = readingsOf(meter)
  const instruments = readings.map(({ instrument }) => instrument)
  const collect = (result: BatchObservableResult): void => {
    for (const cache of caches) {
      const stats = cache.stats()
      for (const { instrument, read } of readings) {
        read(stats, (value, attributes) =>
          result.observe(instrument, value, { [CACHE_NAME]: cache.name, ...attributes }),
        )
      }
    }
  }
  meter.addBatchObservableCallback(collect, instruments)
  return () => meter.removeBatchObservableCallback(collect, instruments)
}

function readingsOf(meter: Meter): Reading[] {
  const counter = (name: string, unit: string, description: string): Observable =>
    meter.createObservableCounter(name, { unit, description })
  const level = (name: string, unit: string, description: string): Observable =>
    meter.createObservableUpDownCounter(name, { unit, description })
  return [
    {
      instrument: counter('herdlock.cache.requests', '{request}', 'Calls of getOrRefill, by how they were answered.'),
      read({ tiers, misses, coalesced }, observe) {
        for (const tier of ['memory', 'redis'] as const) {
          observe(tiers[tier].hits, { [CACHE_RESULT]: 'hit', [CACHE_TIER]: tier })
          observe(tiers[tier].staleHits, { [CACHE_RESULT]: 'stale', [CACHE_TIER]: tier })
        }
        observe(misses, { [CACHE_RESULT]: 'miss' })
        observe(coalesced, { [CACHE_RESULT]: 'coalesced' })
      },
    },
    {
      instrument: counter('herdlock.cache.waits', '{wait}', 'Refills that waited for another process.'),
      read: ({ waits }, observe) => observe(waits.count),
    },
    {
      instrument: counter('herdlock.cache.wait.time', 's', 'Time that refills waited for another process.'),
      read: ({ waits }, observe) => observe(waits.sum / 1000),
    },
    {
      instrument: counter('herdlock.cache.leases.lost', '{lease}', 'Leases that were lost while a loader ran.'),
      read: ({ leasesLost }, observe) => observe(leasesLost),
    },
    {
      instrument: counter('herdlock.cache.invalid.values', '{value}', 'Values of Redis that a schema refused.'),
      read: ({ invalidValues }, observe) => observe(invalidValues),
    },
    {
      instrument: counter(
        'herdlock.cache.responses.unshared',
        '{response}',
        'Responses that a middleware did not share.',
      ),
      read: ({ unshared }, observe) => observe(unshared),
    },
    {
      instrument: counter('herdlock.cache.invalidations', '{invalidation}', 'Changes made here or told by others.'),
      read: ({ invalidations }, observe) => observe(invalidations),
    },
    {
      instrument: counter('herdlock.cache.errors', '{error}', 'Errors reported that cost no caller an answer.'),
      read: ({ errors }, observe) => observe(errors),
    },
    {
      instrument: level('herdlock.cache.entries', '{entry}', 'Entries in memory.'),
      read: ({ entries }, observe) => observe(entries),
    },
    {
      instrument: level('herdlock.cache.size', 'By', 'Encoded size of the values in memory, where it is bounded.'),
      read: ({ bytes }, observe) => bytes !== undefined && observe(bytes),
    },
    {
      instrument: level('herdlock.cache.flights', '{flight}', 'Flights under way.'),
      read: ({ flights }, observe) => observe(flights),
    },
    {
      instrument: level('herdlock.cache.loads.running', '{load}', 'Loads of this process now, where maxLoads is set.'),
      read: ({ limit }, observe) => limit !== undefined && observe(limit.running),
    },
    {
      instrument: level('herdlock.cache.loads.waiting', '{load}', 'Loads in line for a slot, where maxLoads is set.'),
      read: ({ limit }, observe) => limit !== undefined && observe(limit.waiting),
    },
    {
      instrument: counter('herdlock.cache.loads.refused', '{load}', 'Loads for which no slot became free in time.'),
      read: ({ limit }, observe) => limit !== undefined && observe(limit.refused),
    },
    {
      instrument: counter('herdlock.redis.errors', '{error}', 'Operations on Redis that failed or were not answered.'),
      read({ redis }, observe) {
        for (const { instance, errors } of redis) observe(errors, { [REDIS_INSTANCE]: instance })
      },
    },
    {
      instrument: level('herdlock.redis.breaker', '1', '1 for the state that the breaker before Redis is in, else 0.'),
      read({ redis }, observe) {
        for (const { instance, breaker } of redis) {
          for (const state of ['closed', 'half-open', 'open'] as const) {
            observe(Number(breaker === state), { [REDIS_INSTANCE]: instance, [BREAKER_STATE]: state })
          }
        }
      },
    },
  ]
}
