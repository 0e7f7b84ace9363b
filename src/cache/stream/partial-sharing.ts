import { LoadRecord } from '../refill/loader-context.ts'
import type { Publication } from './publication.ts'
import type { PublishedLoad } from './published-load.ts'

/** Another process refills a key that callers here wait for. */
export interface HeldElsewhere {
  /** The token of its lease. */
  readonly token: string
  /** From now on, callers here wait for that many ms. */
  waitFor(ms: number): void
}

/** For code that builds on the cache: shares what a load makes piece by piece with other processes, before it is whole. */
export interface PartialSharing {
  /** Calls `onHeld` each time it turns out that another process refills `key`, until the returned function is called. */
  whenHeldElsewhere(key: string, onHeld: (held: HeldElsewhere) => void): () => void
  /** Follows what the holder of that lease publishes of its load, if anything. */
  follow(key: string, token: string): PublishedLoad
  /**
   * Prepares to publish what a load makes. `undefined` if no other process takes part. Never rejects.
   */
  publish(context: unknown, maxBytes: number): Promise<Publication | undefined>
  /** Gives a load that many ms from now on, instead of the rest of its `loadTimeout`. */
  allow(context: unknown, ms: number): void
}

/** For caches in which no other process takes part. */
export const NO_PARTIAL_SHARING: PartialSharing = {
  whenHeldElsewhere: () => () => {},
  follow(key) {
    throw new Error(`no other process refills ${key}`)
  },
  publish: () => Promise.resolve(undefined),
  allow,
}

/** The same for a caller whose keys differ from those of `inner`: `keyOf` translates them. */
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
  if (context instanceof LoadRecord) context.running?.allow(ms)
}
