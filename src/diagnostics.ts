/**
 * The channels of Node's `diagnostics_channel` for code that watches this library. Names and messages are public. If
 * nobody subscribes, nothing is built for them: check `hasSubscribers` first.
 */
import { channel, type Channel, tracingChannel, type TracingChannel } from 'node:diagnostics_channel'

/** One refill of `herdlock:refill`, from its first command to Redis until its value is stored. */
export interface RefillMessage {
  /** Name of the cache. */
  readonly cache: string
  /** After `redactKey` of the cache. */
  readonly key: string
  /** Whether its callers had been served before it began. */
  readonly background: boolean
  /**
   * Known at the end. `found`: fresh in Redis. `received`: sent by the process that loaded it. `loaded`: here. `passed`:
   * not to be shared, so every caller loads for itself. `failed`: even if a stale value was served instead.
   */
  outcome?: 'found' | 'received' | 'loaded' | 'passed' | 'failed'
  /** ms that the loader took, if it finished in this process. */
  loadTime?: number
  error?: unknown
}

/** One command of `herdlock:claim`: for the fresh value of a key, the lease of its refill, or a place among the waiters. */
export interface ClaimMessage {
  readonly cache: string
  readonly key: string
  /** What Redis answered; `unavailable` when it did not. */
  state?: 'fresh' | 'leased' | 'busy' | 'pass' | 'local' | 'failed' | 'unavailable'
}

/** One acquisition of `herdlock:lock`, by `acquire`, `withLock` or `tryAcquire`. */
export interface LockMessage {
  /** After `redactKey` of the locker. */
  readonly key: string
  /** Whether it waits if the lock is held elsewhere. */
  readonly waiting: boolean
  /** `refused`: held elsewhere. `failed`: an error, or the caller's signal. */
  outcome?: 'acquired' | 'refused' | 'failed'
  error?: unknown
}

/** The end of a lock that was acquired while somebody subscribed to this channel. */
export interface LockEndedMessage {
  readonly key: string
  readonly outcome: 'released' | 'lost'
  /** ms since it was acquired. */
  readonly heldFor: number
}

// The message twice, because `@types/node` 26 has the two parameters in the other order.
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
  | 'unshared'
  | 'invalidated'
  | 'error'

/** The events of a cache, by name. Each message is that of the event, plus the name of the cache. */
export const outcomeChannels: Readonly<Record<Outcome, Channel>> = {
  hit: channel('herdlock:hit'),
  stale: channel('herdlock:stale'),
  miss: channel('herdlock:miss'),
  coalesced: channel('herdlock:coalesced'),
  refilled: channel('herdlock:refilled'),
  'refill-failed': channel('herdlock:refill-failed'),
  'lease-lost': channel('herdlock:lease-lost'),
  invalid: channel('herdlock:invalid'),
  unshared: channel('herdlock:unshared'),
  invalidated: channel('herdlock:invalidated'),
  error: channel('herdlock:error'),
}

/** ms: upper bounds of the buckets of durations. At 30 s the default `loadTimeout` ends a load. */
export const DURATION_BOUNDS: readonly number[] = [
  ...[1, 2.5, 5, 10, 25, 50, 100, 250, 500],
  ...[1000, 2500, 5000, 10_000, 30_000],
]

/**
 * Runs `work`, which completes `message`, as one operation of a tracing channel. The result is not put into the message,
 * because values of a cache and tokens of locks are private.
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
