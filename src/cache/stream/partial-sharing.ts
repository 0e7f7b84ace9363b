import { LoadRecord } from '../refill/loader-context.ts'
import type { Publication } from './publication.ts'
import type { PublishedLoad } from './published-load.ts'

/** Another process refills a key that is waited for here. */
export interface HeldElsewhere {
  /** Of its lease. */
  readonly token: string
  /** Those who wait here do so for that many ms from now on. */
  waitFor(ms: number): void
}

/** For those who build on the cache: what a load makes piece by piece, shared with other processes before it is whole. */
export interface PartialSharing {
  /** Calls back each time it shows that another process refills `key`, until the returned function is called. */
  whenHeldElsewhere(key: string, onHeld: (held: HeldElsewhere) => void): () => void
  /** Follows what the process that holds that lease publishes of its load, if it does. */
  follow(key: string, token: string): PublishedLoad
  /**
   * Prepares to publish what a load makes; `undefined` where no other process takes part. Never rejects.
   */
  publish(context: unknown, maxBytes: number): Promise<Publication | undefined>
  /** Gives a load so many ms from now on, in place of what is left of its `loadTimeout`. */
  allow(context: unknown, ms: number): void
}

/** Where no other process takes part. */
export const NO_PARTIAL_SHARING: PartialSharing = {
  whenHeldElsewhere: () => () => {},
  follow(key) {
    throw new Error(`no other process refills ${key}`)
  },
  publish: () => Promise.resolve(undefined),
  allow,
}

/** The same for keys that are others there: `keyOf` makes them of those that are known here. */
export function sharingBy(inner: PartialSharing | undefined, keyOf: (key: string) => string): PartialSharing {
  if (inner === undefined) return NO_PARTIAL_SHARING
  return {
    whenHeldElsewhere: (key, onHeld) => inner.whenHeldElsewhere(keyOf(key), onHeld),
    follow: (key, token) => inner.follow(keyOf(key), token),
    publish: (context, maxBytes) => inner.publish(context, maxBytes),
    allow,
  }
}

/** See `PartialSharing`. */
export function allow(context: unknown, ms: number): void {
  if (context instanceof LoadRecord) context.allow?.(ms)
}
