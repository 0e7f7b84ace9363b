import type { MessagesState } from '../../redis/subscriber.ts'

/** Counts since the cache was created, and its current state. Times in ms. */
export interface CacheStats {
  /** Answered with a fresh value. */
  readonly hits: number
  /** Answered with a stale value. */
  readonly staleHits: number
  /** The same two counts by where the value was found. */
  readonly tiers: Readonly<Record<Tier, TierStats>>
  /** Nothing usable was stored: the call loaded, or was the first in this process to wait for another process. */
  readonly misses: number
  /** Joined a running flight of this process. */
  readonly coalesced: number
  /** Loads that succeeded; in a batch each key counts. */
  readonly refills: number
  /** Loads that failed. */
  readonly refillFailures: number
  /** How long loads took, including failed ones. Its `count` says how often a loader finished. */
  readonly loadTime: Histogram
  /** Refills that waited for another process, and for how long in total. */
  readonly waits: { readonly count: number; readonly sum: number }
  readonly leasesLost: number
  /** Values from Redis that a schema refused. */
  readonly invalidValues: number
  /** Responses that a middleware found to be for one client alone. */
  readonly unshared: number
  /** The loads of this process under `maxLoads`; `undefined` without that option. */
  readonly limit: LimitStats | undefined
  /** Changes that this process made or heard of. */
  readonly invalidations: number
  /** Errors reported by the event `error`. A failure that goes on is reported once in ten seconds. */
  readonly errors: number
  /** One for each Redis of the cache, in their order. */
  readonly redis: readonly RedisStats[]
  /** Entries in memory. */
  readonly entries: number
  /** Encoded size of their values; known only if `memory.maxBytes` is set. */
  readonly bytes: number | undefined
  /** Running flights. */
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
  /** Whether Redis is asked. `open`: no, because it did not answer. `half-open`: one operation is trying. */
  readonly breaker: 'closed' | 'half-open' | 'open'
  /** Operations that failed or were not answered in time. */
  readonly errors: number
  /**
   * The connection for messages of other processes. `closed`: before it is first needed, and after the client was closed.
   * `failing`: it could not be opened, or did not last. Until it is `connected`, this process does not hear of changes by
   * others.
   */
  readonly messages: MessagesState
}

export interface Histogram {
  readonly count: number
  readonly sum: number
  /** Upper bounds of the buckets, each included in its bucket; a last bucket has none. */
  readonly bounds: readonly number[]
  /** How many durations fell into each bucket: one more number than there are bounds. */
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

  /** ms; 0 until something was recorded. */
  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count
  }

  read(): Histogram {
    return { count: this.#count, sum: this.#sum, bounds: this.#bounds, counts: [...this.#counts] }
  }
}
