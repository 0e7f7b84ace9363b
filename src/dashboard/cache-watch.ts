import type { AnyCache } from '../cache/cache.ts'
import type { CacheStats } from '../cache/watch/stats.ts'
import type { LeaseListing } from '../cache/watch/inspection.ts'
import type { Clock } from '../clock.ts'
import { Hottest } from './hottest.ts'
import { keep } from './keep.ts'
import { messageOf, named, rowsOf, toldOf } from './report.ts'
import {
  type CacheUpdate,
  type FailureReport,
  type Figures,
  type Past,
  type RefillReport,
  type Sample,
} from './report.ts'
import { Slowest } from './slowest.ts'
import { Unshared } from './unshared.ts'

/** Samples, refills and failures that are remembered: five minutes at one update a second. */
const SAMPLES = 300
const REFILLS = 600
const FAILURES = 50
/** Keys that are counted, and rows that are told of each kind. */
const KEYS_COUNTED = 100
const KEYS_SHOWN = 10
const ROWS = 50
/** ms after which of what was counted for the hottest keys the e-th part is left. */
const FADING = 30_000
/** ms between two questions to Redis for leases. */
const LEASES_EVERY = 2000
/** ms without a viewer after which what was seen before is no longer shown. */
const FORGOTTEN_AFTER = 60_000

/** Watches one cache while somebody looks: what its events and counts tell, and who holds leases. */
export class CacheWatch {
  readonly #cache: AnyCache
  readonly #clock: Clock
  #hottest = new Hottest(KEYS_COUNTED)
  #slowest = new Slowest(KEYS_COUNTED)
  #unshared = new Unshared(KEYS_COUNTED)
  readonly #samples: Sample[] = []
  readonly #refills: RefillReport[] = []
  readonly #failures: FailureReport[] = []
  /** Those that the next update will tell. */
  #newRefills: RefillReport[] = []
  #newFailures: FailureReport[] = []
  #stops: (() => void)[] = []
  #before: { stats: CacheStats; at: number } | undefined
  /** When counting for the hottest keys began: for how much time their counts stand. */
  #countingSince = 0
  #stoppedAt = -Infinity
  #leases: LeaseListing | undefined
  #leasesAskedAt = -Infinity
  #isAskingForLeases = false
  #redis: CacheUpdate['redis'] = 'unknown'
  #redisError: string | undefined

  constructor(cache: AnyCache, clock: Clock) {
    this.#cache = cache
    this.#clock = clock
  }

  get past(): Past {
    return { samples: this.#samples, refills: this.#refills, failures: this.#failures }
  }

  /** From now on the cache's events are listened to: until `stop`, and at no other time. */
  start(): void {
    const now = this.#clock.now()
    if (now - this.#stoppedAt > FORGOTTEN_AFTER) this.#forget(now)
    this.#before = undefined
    const { on } = this.#cache
    const count = ({ key }: { key: string }): void => this.#hottest.note(key)
    this.#stops = [
      ...(['hit', 'stale', 'miss', 'coalesced'] as const).map((event) => on(event, count)),
      on('refilled', ({ key, loadTime }) => {
        this.#slowest.note(key, loadTime, this.#clock.now())
        this.#noteRefill(key, loadTime)
      }),
      on('refill-failed', ({ key, error }) => {
        this.#noteRefill(key, undefined)
        this.#noteFailure('refill-failed', key, error)
      }),
      on('lease-lost', ({ key }) => this.#noteFailure('lease-lost', key, 'the lease was lost while the loader ran')),
      on('unshared', ({ key, reason }) => this.#unshared.note(key, reason, this.#clock.wallNow())),
      on('error', ({ error }) => this.#noteFailure('error', undefined, error)),
    ]
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
    this.#stoppedAt = this.#clock.now()
    this.#leases = undefined
  }

  /** Also what Redis says: who holds leases. */
  update(): Omit<CacheUpdate, 'fleet'> {
    this.#askForLeases(this.#clock.now())
    const leases = this.#leases ?? { items: [], complete: true }
    return {
      ...this.figures(),
      leases: { ...rowsOf(leases.items, ROWS), complete: leases.complete },
      redis: this.#redis,
      redisError: this.#redisError,
    }
  }

  /** What has happened here since the last time, and what is so now. */
  figures(): Figures {
    const now = this.#clock.now()
    const stats = this.#cache.stats()
    const sample = this.#sample(stats, now)
    const refills = this.#newRefills
    const failures = this.#newFailures
    this.#newRefills = []
    this.#newFailures = []
    return {
      stats: toldOf(stats),
      sample,
      flights: rowsOf(this.#cache.flights(), ROWS),
      hottest: this.#rates(now),
      slowest: this.#slowest.top(KEYS_SHOWN, now).map((times) => ({ ...times, ...named(times.key) })),
      unshared: this.#unshared.last(KEYS_SHOWN).map((report) => ({ ...report, ...named(report.key) })),
      refills,
      failures,
    }
  }

  #sample(stats: CacheStats, now: number): Sample | undefined {
    const before = this.#before
    this.#before = { stats, at: now }
    if (before === undefined) return undefined
    const span = now - before.at
    this.#hottest.fade(Math.exp(-span / FADING))
    const since = (name: 'hits' | 'staleHits' | 'misses' | 'coalesced' | 'refills' | 'refillFailures'): number =>
      stats[name] - before.stats[name]
    const sample = {
      at: this.#clock.wallNow(),
      span: Math.round(span),
      hits: since('hits'),
      staleHits: since('staleHits'),
      misses: since('misses'),
      coalesced: since('coalesced'),
      refills: since('refills'),
      refillFailures: since('refillFailures'),
    }
    keep(this.#samples, sample, SAMPLES)
    return sample
  }

  /** Counts that fade stand for FADING ms, and for less at the beginning. */
  #rates(now: number): CacheUpdate['hottest'] {
    const seconds = (FADING * (1 - Math.exp(-(now - this.#countingSince) / FADING))) / 1000
    return this.#hottest
      .top(KEYS_SHOWN)
      .map(({ key, count }) => ({ ...named(key), rate: count / Math.max(seconds, 1) }))
  }

  /** A slow Redis delays no update: what it answers is told in a later one. */
  #askForLeases(now: number): void {
    if (this.#isAskingForLeases || now - this.#leasesAskedAt < LEASES_EVERY) return
    this.#isAskingForLeases = true
    this.#leasesAskedAt = now
    this.#cache
      .leases(this.#leases)
      .then(
        (leases) => {
          this.#redis = leases.position === '' ? 'absent' : 'answers'
          this.#redisError = undefined
          if (this.#stops.length > 0) this.#leases = leases
        },
        (error: unknown) => {
          this.#redis = 'fails'
          this.#redisError = messageOf(error)
          this.#leases = undefined
        },
      )
      .finally(() => (this.#isAskingForLeases = false))
  }

  #noteRefill(key: string, loadTime: number | undefined): void {
    const refill = { ...named(key), at: this.#clock.wallNow(), loadTime }
    keep(this.#refills, refill, REFILLS)
    keep(this.#newRefills, refill, REFILLS)
  }

  #noteFailure(kind: FailureReport['kind'], key: string | undefined, error: unknown): void {
    const failure = { ...(key !== undefined && named(key)), at: this.#clock.wallNow(), kind, message: messageOf(error) }
    keep(this.#failures, failure, FAILURES)
    keep(this.#newFailures, failure, FAILURES)
  }

  #forget(now: number): void {
    this.#hottest = new Hottest(KEYS_COUNTED)
    this.#slowest = new Slowest(KEYS_COUNTED)
    this.#unshared = new Unshared(KEYS_COUNTED)
    this.#countingSince = now
    for (const list of [this.#samples, this.#refills, this.#failures]) list.length = 0
  }
}
