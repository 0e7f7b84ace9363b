import type { MessagesState } from '../../redis/subscriber.ts'

/** Counts since the cache was created, and its present state. Times in ms. */
export interface CacheStats {
  /** Answered with a fresh value. */
  readonly hits: number
  /** Answered with a stale value. */
  readonly staleHits: number
  /** The same two by where the value was found. */
  readonly tiers: Readonly<Record<Tier, TierStats>>
  /** Nothing usable was stored: loaded, or waited as the first here for one who loads elsewhere. */
  readonly misses: number
  /** Joined a flight of this process that was under way. */
  readonly coalesced: number
  /** Loads that succeeded; of a batch each key counts. */
  readonly refills: number
  /** Loads that failed. */
  readonly refillFailures: number
  /** How long loads took, failed ones too: its `count` is how often a loader ran to its end. */
  readonly loadTime: Histogram
  /** Refills that waited for another process, and how long they did in all. */
  readonly waits: { readonly count: number; readonly sum: number }
  readonly leasesLost: number
  /** Values of Redis that a schema refused. */
  readonly invalidValues: number
  /** How this process loads under `maxLoads`; `undefined` without that option. */
  readonly limit: LimitStats | undefined
  /** Changes that this process made or was told of. */
  readonly invalidations: number
  /** Reported by the event `error`. Of a failure that goes on only the first in ten seconds is. */
  readonly errors: number
  /** One for each Redis of the cache, in their order. */
  readonly redis: readonly RedisStats[]
  /** Entries in memory. */
  readonly entries: number
  /** Encoded size of their values; known where `memory.maxBytes` is set. */
  readonly bytes: number | undefined
  /** Flights under way. */
  readonly flights: number
}

export interface LimitStats {
  readonly maxLoads: number
  /** Loads that run in this process; a batch is one. */
  readonly running: number
  /** Loads of this process that wait for a slot. */
  readonly waiting: number
  /** How often no slot became free in time. */
  readonly refused: number
}

/** Where a value was found. */
export type Tier = 'memory' | 'redis'

export interface TierStats {
  readonly hits: number
  readonly staleHits: number
}

export interface RedisStats {
  /** Host and port, `cluster`, or `sentinel` and the name. */
  readonly instance: string
  /** Whether Redis is asked: `open` if not, for it has not answered; `half-open` while one operation tries. */
  readonly breaker: 'closed' | 'half-open' | 'open'
  /** Operations that failed or were not answered in time. */
  readonly errors: number
  /**
   * The connection on which messages of other processes arrive: `closed` before the first need and after the client was
   * closed; `failing` when it could not be opened, or did not last. Until it is `connected`, changes by other processes
   * are not heard of.
   */
  readonly messages: MessagesState
}

export interface Histogram {
  readonly count: number
  readonly sum: number
  /** Upper bounds of the buckets, each included in its bucket; a last bucket has none. */
  readonly bounds: readonly number[]
  /** How many fell into each bucket: one number more than there are bounds. */
  readonly counts: readonly number[]
}

/** Counts durations by fixed buckets. */
export class DurationHistogram {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #count = 0
  #sum = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  note(duration: number): void {
    let bucket = 0
    while (duration > (this.#bounds[bucket] ?? Infinity)) bucket++
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1
    this.#count++
    this.#sum += duration
  }

  /** ms; 0 as long as nothing was noted. */
  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count
  }

  read(): Histogram {
    return { count: this.#count, sum: this.#sum, bounds: this.#bounds, counts: [...this.#counts] }
  }
}
