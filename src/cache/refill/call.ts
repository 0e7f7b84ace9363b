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

/** What is to be refilled, and how. */
export interface RefillOrder<V> extends Call<V> {
  /** The callers have been served already: nobody waits for this. */
  readonly background: boolean
  /** What is fresh no longer than this instant is to be refilled all the same. */
  readonly freshBeyond?: number
  /** End of the ttl of what was found in Redis and is not valid: up to then nothing counts as fresh for the first claim. */
  readonly invalidUntil?: number
}
