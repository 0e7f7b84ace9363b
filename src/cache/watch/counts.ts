import { DURATION_BOUNDS, type outcomeChannels } from '../../diagnostics.ts'
import { DurationHistogram, type CacheStats } from './stats.ts'

/** What has happened so far: in a cache, or in one namespace of it. */
export class Counts {
  readonly counts: Record<keyof typeof outcomeChannels, number> = {
    hit: 0,
    stale: 0,
    miss: 0,
    coalesced: 0,
    refilled: 0,
    'refill-failed': 0,
    'lease-lost': 0,
    invalid: 0,
    unshared: 0,
    invalidated: 0,
    error: 0,
  }
  /** How many of the hits, fresh and stale, were found in Redis. */
  readonly inRedis: { hit: number; stale: number } = { hit: 0, stale: 0 }
  readonly loadTime: DurationHistogram = new DurationHistogram(DURATION_BOUNDS)
  readonly waits: { count: number; sum: number } = { count: 0, sum: 0 }

  read(): Omit<CacheStats, 'limit' | 'redis' | 'entries' | 'bytes' | 'flights'> {
    const { counts, inRedis } = this
    return {
      hits: counts.hit,
      staleHits: counts.stale,
      tiers: {
        memory: { hits: counts.hit - inRedis.hit, staleHits: counts.stale - inRedis.stale },
        redis: { hits: inRedis.hit, staleHits: inRedis.stale },
      },
      misses: counts.miss,
      coalesced: counts.coalesced,
      refills: counts.refilled,
      refillFailures: counts['refill-failed'],
      loadTime: this.loadTime.read(),
      waits: { ...this.waits },
      leasesLost: counts['lease-lost'],
      invalidValues: counts.invalid,
      unshared: counts.unshared,
      invalidations: counts.invalidated,
      errors: counts.error,
    }
  }
}
