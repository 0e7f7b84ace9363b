import type { CallSettings } from '../options.ts'
import type { Batch } from './batch.ts'
import type { Loader } from './loader-context.ts'

/** One caller's question. */
export interface Call<V> {
  readonly key: string
  readonly loader: Loader<V>
  readonly settings: CallSettings<V>
  /** Whose loader `loader` is: to be told once it is known whether that is run for this call, or has been. */
  readonly batch: Batch<V> | undefined
}

/**
 * Who asks by `claim`: it is no caller of the flight, but runs the load, by a loader that hands it the result to come. So it
 * is told, apart from the callers, what comes of the flight.
 */
export interface Claimant<V> {
  /** Its loader is not run yet, for another process refills, by the token `holder`, or all slots are taken. */
  busy(holder?: string): void
  /** There is a value, which `read` makes. */
  settle(read: () => V): void
  /** There is none; `instead`: what callers are served in place of it, if they are. */
  fail(reason: unknown, instead?: () => V): void
  /** The result is not for it: it is to load for itself. */
  release(): void
  /** Nothing more is done. */
  end(): void
}

/** What is to be refilled, and how. */
export interface RefillOrder<V> extends Call<V> {
  /** The callers have been served already: nobody waits for this. */
  readonly background: boolean
  /** What is fresh no longer than this instant is to be refilled all the same. */
  readonly freshBeyond?: number
  /** End of the ttl of what was found in Redis and is not valid: up to then nothing counts as fresh for the first claim. */
  readonly invalidUntil?: number
  /** Whose loader `loader` is, if it was claimed. */
  readonly claimant?: Claimant<V>
}
