import type { CallSettings } from '../options.ts'
import type { Batch } from './batch.ts'
import type { Loader } from './loader-context.ts'

/** One caller's request. */
export interface Call<V> {
  readonly key: string
  readonly loader: Loader<V>
  readonly settings: CallSettings<V>
  /** The batch that `loader` belongs to. It must be told once it is known whether the loader runs for this call. */
  readonly batch: Batch<V> | undefined
}

/**
 * One that asks by `claim`. It is not a caller of the flight: it does the load itself, through a loader that waits for its
 * result. So it is told the outcome of the flight separately from the callers.
 */
export interface Claimant<V> {
  /** Its loader does not run yet, because another process refills, with the token `holder`, or all slots are taken. */
  busy(holder?: string): void
  /** There is a value, which `read` returns. */
  settle(read: () => V): void
  /** There is no value. `instead`: what callers get instead, if anything. */
  fail(reason: unknown, instead?: () => V): void
  /** The result is not for it: it must load for itself. */
  release(): void
  /** Nothing more is done. */
  end(): void
}

/** What to refill, and how. */
export interface RefillOrder<V> extends Call<V> {
  /** The callers have their answers already: nobody waits for this. */
  readonly background?: boolean
  /** An entry that is fresh no longer than until this time must be refilled all the same. */
  readonly freshBeyond?: number
  /** End of the ttl of an invalid entry found in Redis: for the first claim, nothing counts as fresh until then. */
  readonly invalidUntil?: number
  /** The claimant that `loader` belongs to, if it was claimed. */
  readonly claimant?: Claimant<V>
}
