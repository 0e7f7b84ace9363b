import type { Lifetime } from './options.ts'
import type { LoaderContext } from './refill/loader-context.ts'

/** How a key stands, told to somebody who cannot hand over a loader. See `Cache.claim`. */
export type Claim<V> = FreshClaim<V> | LeasedClaim<V> | BusyClaim<V>

/** There is nothing to load. */
export interface FreshClaim<V> {
  readonly state: 'fresh'
  /** What `getOrRefill` would answer with: a fresh value, or a stale one while nobody may retry after a failure. */
  readonly value: V
}

/** The refill is this caller's. In every process whoever asks for the key waits for it. */
export interface LeasedClaim<V> {
  readonly state: 'leased'
  /** One of its methods must be called, on every path: until then, or `loadTimeout`, others wait. */
  readonly refill: Refill<V>
  /** What may be served in the meantime, within `staleWhileRevalidate`. */
  readonly stale?: V | undefined
}

/** Somebody else refills, in this process or another; or, with `maxLoads`, all slots are taken. */
export interface BusyClaim<V> {
  readonly state: 'busy'
  /** What may be served in the meantime, within `staleWhileRevalidate`. */
  readonly stale?: V | undefined
  /**
   * Waits for the other's value; if none comes, because the other died, gave up, or, in another process, took longer than
   * `waitTimeout`, for the turn of this caller. Rejects with what `getOrRefill` rejects with.
   */
  wait(): Promise<FreshClaim<V> | LeasedClaim<V>>
}

/**
 * A refill that is under way, in the hands of whoever has claimed it. Of its methods the first call counts, so that `abandon`
 * may stand in a `finally`. They resolve when the refill is at its end: it is stored, and others are told.
 */
export interface Refill<V> {
  /** What a loader is told, and what it may say about its result. */
  readonly context: LoaderContext<V>
  /**
   * Hands on the value, or what the promise brings, and stores it. `terms` are those of `context.cacheFor`. Rejects with
   * what others were told in place of the value: `InvalidValueError`, or `LoadTimeoutError` if it comes too late.
   */
  settle(value: V | Promise<V>, terms?: Lifetime & { tags?: readonly string[] | undefined }): Promise<void>
  /** Those who wait are told the reason, as by a loader that throws it. */
  fail(reason: unknown): Promise<void>
  /** Gives the refill up: of those who wait one loads in place of this caller. */
  abandon(): Promise<void>
}
