/**
 * The channels by which others watch this library, of Node's own `diagnostics_channel`. Names and messages are public.
 * Where nobody subscribes nothing is built for them: ask `hasSubscribers` first.
 */
import { channel, type Channel, tracingChannel, type TracingChannel } from 'node:diagnostics_channel'

/** One refill of `herdlock:refill`, from its first question to Redis until its value is stored. */
export interface RefillMessage {
  /** Name of the cache. */
  readonly cache: string
  /** As the cache's `redactKey` leaves it. */
  readonly key: string
  /** Its callers had been served before it began. */
  readonly background: boolean
  /**
   * Known at the end: fresh in Redis; sent by the process that loaded it; loaded here; not to be shared, so that every
   * caller loads for itself; failed, also where a stale value was served in its place.
   */
  outcome?: 'found' | 'received' | 'loaded' | 'passed' | 'failed'
  /** ms that the loader took, if it ran here to its end. */
  loadTime?: number
  error?: unknown
}

/** One question of `herdlock:claim`: the fresh value of a key, the lease of its refill, or a place among the waiters. */
export interface ClaimMessage {
  readonly cache: string
  readonly key: string
  /** What Redis answered; `unavailable` when it did not. */
  state?: 'fresh' | 'leased' | 'busy' | 'pass' | 'local' | 'failed' | 'unavailable'
}

/** One acquisition of `herdlock:lock`, by `acquire`, `withLock` or `tryAcquire`. */
export interface LockMessage {
  /** As the locker's `redactKey` leaves it. */
  readonly key: string
  /** Whether it waits where the lock is held elsewhere. */
  readonly waiting: boolean
  /** `refused`: held elsewhere. `failed`: by the caller's signal too. */
  outcome?: 'acquired' | 'refused' | 'failed'
  error?: unknown
}

/** The end of a lock that was acquired while somebody subscribed to this. */
export interface LockEndedMessage {
  readonly key: string
  readonly outcome: 'released' | 'lost'
  /** ms since it was acquired. */
  readonly heldFor: number
}

// Twice the message: `@types/node` 26 has the two parameters in the other order.
export const refillChannel: TracingChannel<RefillMessage, RefillMessage> = tracingChannel('herdlock:refill')
export const claimChannel: TracingChannel<ClaimMessage, ClaimMessage> = tracingChannel('herdlock:claim')
export const lockChannel: TracingChannel<LockMessage, LockMessage> = tracingChannel('herdlock:lock')
export const lockEndedChannel: Channel = channel('herdlock:lock-ended')

type Outcome =
  | 'hit'
  | 'stale'
  | 'miss'
  | 'coalesced'
  | 'refilled'
  | 'refill-failed'
  | 'lease-lost'
  | 'invalid'
  | 'invalidated'
  | 'error'

/** A cache's events, by their names there; each message is the event's with the name of the cache. */
export const outcomeChannels: Readonly<Record<Outcome, Channel>> = {
  hit: channel('herdlock:hit'),
  stale: channel('herdlock:stale'),
  miss: channel('herdlock:miss'),
  coalesced: channel('herdlock:coalesced'),
  refilled: channel('herdlock:refilled'),
  'refill-failed': channel('herdlock:refill-failed'),
  'lease-lost': channel('herdlock:lease-lost'),
  invalid: channel('herdlock:invalid'),
  invalidated: channel('herdlock:invalidated'),
  error: channel('herdlock:error'),
}

/** ms: upper bounds of the buckets of durations. At 30 s the default `loadTimeout` ends a load. */
export const DURATION_BOUNDS: readonly number[] = [
  ...[1, 2.5, 5, 10, 25, 50, 100, 250, 500],
  ...[1000, 2500, 5000, 10_000, 30_000],
]

/**
 * Runs `work`, which completes `message`, as one operation of a tracing channel. What it resolves with is kept out of
 * the message: values of a cache and tokens of locks are nobody else's business.
 */
export async function traced<M extends object, T>(
  tracing: TracingChannel<M, M>,
  message: M,
  work: () => Promise<T>,
): Promise<T> {
  let result: { readonly value: T } | undefined
  await tracing.tracePromise(async () => {
    result = { value: await work() }
  }, message)
  return (result as unknown as { readonly value: T }).value
}
