import type { Lifetime } from './options.ts'
import type { LoaderContext } from './refill/loader-context.ts'

/** The state of a key, for code that has no loader to pass. See `Cache.claim`. */
export type Claim<V> = FreshClaim<V> | LeasedClaim<V> | BusyClaim<V>

/** There is nothing to load. */
export interface FreshClaim<V> {
  readonly state: 'fresh'
  /** What `getOrRefill` would return: a fresh value, or a stale one during the pause after a failure. */
  readonly value: V
}

/** This caller is to refill the key. In every process, callers of the key wait for it. */
export interface LeasedClaim<V> {
  readonly state: 'leased'
  /** Call one of its methods on every path: others wait until then, or until `loadTimeout`. */
  readonly refill: Refill<V>
  /** What may be served in the meantime, within `staleWhileRevalidate`. */
  readonly stale?: V | undefined
}

/** Somebody else refills, in this process or another, or all slots of `maxLoads` are taken. */
export interface BusyClaim<V> {
  readonly state: 'busy'
  /** What may be served in the meantime, within `staleWhileRevalidate`. */
  readonly stale?: V | undefined
  /**
   * Waits for the value of the other refill. If none comes, waits until it is this caller's turn: the other died, gave
   * up, or, in another process, took longer than `waitTimeout`. Rejects with the same errors as `getOrRefill`.
   */
  wait(): Promise<FreshClaim<V> | LeasedClaim<V>>
}

/**
 * A refill that a caller has claimed. Only the first call of its methods counts, so `abandon` may be called in a
 * `finally`. They resolve when the refill has ended: the value is stored, and the others are told.
 */
export interface Refill<V> {
  /** What a loader gets, and how it decides about its result. */
  readonly context: LoaderContext<V>
  /**
   * Hands the value, or the result of the promise, to all waiting callers and stores it. `terms` are those of
   * `context.cacheFor`. Rejects with the error that others got instead of the value: `InvalidValueError`, or
   * `LoadTimeoutError` if the value comes too late.
   */
  settle(value: V | Promise<V>, terms?: Lifetime & { tags?: readonly string[] | undefined }): Promise<void>
  /** Waiting callers get the reason, as from a loader that throws it. */
  fail(reason: unknown): Promise<void>
  /** Gives the refill up: one of the waiting callers loads instead. */
  abandon(): Promise<void>
}
