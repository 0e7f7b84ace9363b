import type { Clock } from '../clock.ts'
import type { Connection } from '../redis/connection.ts'
import { deleteBeginningWith } from '../redis/delete-matching.ts'
import { entryKeys } from '../redis/entry-keys.ts'
import type { Inbox } from '../redis/inbox.ts'
import { claim } from '../redis/scripts/claim.ts'
import { overwrite } from '../redis/scripts/overwrite.ts'
import { settle } from '../redis/scripts/settle.ts'
import type { Codec } from './codec.ts'
import type { Entry } from './entry.ts'
import { decodeEnvelope, encodeEnvelope, type Envelope } from './envelope.ts'

/** What Redis answers to a caller that has no fresh value. */
export type Claim<V> =
  | { readonly state: 'fresh'; readonly entry: Entry<V> }
  /** A marker: results of this key are not shareable for now; load alone, without a lock. */
  | { readonly state: 'pass' }
  | { readonly state: 'leased'; readonly token: string; readonly stale: Entry<V> | undefined; readonly sentAt: number }
  | { readonly state: 'busy'; readonly leaseEndsIn: number; readonly registered: boolean; readonly stale: Entry<V> | undefined }

/** What a waiter hears when the refill that it waits for ends. */
export type Notice<V> =
  | { readonly kind: 'entry'; readonly entry: Entry<V> }
  | { readonly kind: 'failed'; readonly failure: RemoteFailure }
  | { readonly kind: 'pass' }
  /** Look again: the value was too large for the message, or the refill was revoked. */
  | { readonly kind: 'again' }

export interface RemoteFailure {
  readonly name: string
  readonly message: string
  readonly origin: string
}

/** Durations in ms from the moment the value was loaded. */
export interface StoredLifetime {
  readonly ttl: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
}

/** Values up to this many bytes travel inside the message that wakes waiters; larger ones are read by each process. */
const LARGEST_IN_MESSAGE = 64 * 1024

/** ms after which a measured clock offset is measured again: clocks drift, and a failover brings another one. */
const CLOCK_VALID_FOR = 10_000

const FAILED = 'f'
const PASS = 'p'
const AGAIN = 'a'
const ENVELOPE = 'h'

/** The entries in Redis, L2, and the protocol by which one process of all refills them. */
export class RedisStore {
  readonly #connection: Connection
  readonly #inbox: Inbox
  readonly #clock: Clock
  readonly #prefix: string
  readonly #report: (error: unknown) => void
  /**
   * Redis's clock minus ours in ms, as measured by the last claim. What it errs, at most that claim's time under way,
   * makes entries expire early here, never late.
   */
  #clockOffset = 0
  #clockReadAt = -Infinity

  constructor(
    connection: Connection,
    inbox: Inbox,
    clock: Clock,
    prefix: string,
    /** Told of damage that costs nobody an answer. */
    report: (error: unknown) => void,
  ) {
    this.#connection = connection
    this.#inbox = inbox
    this.#clock = clock
    this.#prefix = prefix
    this.#report = report
  }

  leaseKey(key: string): string {
    return entryKeys(this.#prefix, key).lease
  }

  /** One round trip: reads the entry and, unless it is fresh, takes the lease under `token` or registers as a waiter. */
  async claim<V>(key: string, token: string, lockTtl: number, codec: Codec<V>): Promise<Claim<V>> {
    const keys = entryKeys(this.#prefix, key)
    const sentAt = this.#clock.now()
    const registered = this.#inbox.ready
    const reply = await this.#connection.runBuffer(
      claim,
      [keys.value, keys.lease, keys.waiters],
      [token, lockTtl, registered ? this.#inbox.id : '', ''],
    )
    const [now, bytes, state, corrupt] = reply as [number | string, Buffer | null, Buffer | number, Buffer | undefined]
    this.#setClock(Number(now), sentAt)
    if (corrupt !== undefined) this.#report(new Error(`the entry of ${JSON.stringify(key)} in Redis was damaged`))
    const found = bytes === null ? undefined : this.#decode(bytes, codec)
    if (typeof state !== 'number') {
      if (state.toString() === 'leased') return { state: 'leased', token, stale: asEntry(found), sentAt }
      if (found === 'pass') return { state: 'pass' }
      if (found !== undefined) return { state: 'fresh', entry: found }
      // Fresh by its header, but of no use: out of the way with it, so that the next claim gets the lease.
      await this.#connection.command('del', keys.value)
      return { state: 'busy', leaseEndsIn: 0, registered, stale: undefined }
    }
    return { state: 'busy', leaseEndsIn: state, registered, stale: asEntry(found) }
  }

  /** Stores a loaded value and hands it to the waiters, if the lease is still `token`'s; answers whether it was. */
  async commit(key: string, token: string, payload: Uint8Array, lifetime: StoredLifetime, loadTime: number): Promise<boolean> {
    const bytes = this.#seal('value', payload, lifetime, loadTime)
    return this.#settle(key, token, longest(lifetime), bytes, bytes.length <= LARGEST_IN_MESSAGE ? '' : AGAIN)
  }

  /** Hands a value that is not to be kept to the waiters. One too large for a message each must load for itself. */
  async deliver(key: string, token: string, payload: Uint8Array, lifetime: StoredLifetime): Promise<boolean> {
    const bytes = this.#seal('value', payload, { ...lifetime, ttl: 0 }, 0)
    return this.#settle(key, token, 0, '', bytes.length <= LARGEST_IN_MESSAGE ? bytes : AGAIN)
  }

  /** Ends the lease; the waiters of this attempt get its failure. */
  fail(key: string, token: string, failure: RemoteFailure): Promise<boolean> {
    return this.#settle(key, token, 0, '', FAILED + JSON.stringify(failure))
  }

  /** Ends the lease; waiters and, for `duration` ms, everyone who follows load for themselves, unlocked. */
  pass(key: string, token: string, duration: number): Promise<boolean> {
    const bytes = this.#seal('pass', new Uint8Array(), { ttl: duration, staleWhileRevalidate: 0, staleIfError: 0 }, 0)
    return this.#settle(key, token, duration, bytes, PASS)
  }

  /** Ends the lease without a result; waiters compete again. */
  abandon(key: string, token: string): Promise<boolean> {
    return this.#settle(key, token, 0, '', AGAIN)
  }

  /** Reads without claiming: the fresh entry or nothing. */
  async read<V>(key: string, codec: Codec<V>): Promise<Entry<V> | undefined> {
    await this.#readClock()
    const bytes = (await this.#connection.commandBuffer('get', entryKeys(this.#prefix, key).value)) as Buffer | null
    return bytes === null ? undefined : asEntry(this.#decode(bytes, codec))
  }

  /** Puts a value in place of whatever there is; a running refill loses its lease in the same step. */
  async write(key: string, payload: Uint8Array, lifetime: StoredLifetime, backplane: Broadcast): Promise<void> {
    await this.#readClock()
    const bytes = this.#seal('value', payload, lifetime, 0)
    await this.#overwrite(key, longest(lifetime), bytes, bytes.length <= LARGEST_IN_MESSAGE ? bytes : AGAIN, backplane)
  }

  /** Deletes the entry; a running refill loses its lease in the same step. */
  async remove(key: string, backplane: Broadcast): Promise<void> {
    await this.#overwrite(key, 0, '', AGAIN, backplane)
  }

  /** Deletes all entries and leases of the prefix, then tells every process. Refills that run lose their lease. */
  async removeAll(backplane: Broadcast): Promise<void> {
    await deleteBeginningWith(this.#connection, `${this.#prefix}:{`)
    await this.#connection.command('publish', backplane.channel, backplane.message)
  }

  /** Calls `onNotice` with what the refill of `key` ends in, until the returned function is called. */
  listen<V>(key: string, codec: Codec<V>, onNotice: (notice: Notice<V>) => void): () => void {
    return this.#inbox.listen(entryKeys(this.#prefix, key).value, (payload) => onNotice(this.#readNotice(payload, codec)))
  }

  /** Asks Redis for the time, unless a claim has done so lately. */
  async #readClock(): Promise<void> {
    const sentAt = this.#clock.now()
    if (sentAt - this.#clockReadAt < CLOCK_VALID_FOR) return
    const [seconds, microseconds] = (await this.#connection.command('time')) as [string, string]
    this.#setClock(Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000), sentAt)
  }

  #setClock(now: number, sentAt: number): void {
    this.#clockOffset = now - sentAt
    this.#clockReadAt = sentAt
  }

  async #settle(key: string, token: string, storeFor: number, bytes: Buffer | string, message: Buffer | string): Promise<boolean> {
    const keys = entryKeys(this.#prefix, key)
    const reply = await this.#connection.run(
      settle,
      [keys.value, keys.lease, keys.waiters],
      [token, storeFor, bytes, keys.value, message],
    )
    return Number(reply) === 1
  }

  async #overwrite(key: string, storeFor: number, bytes: Buffer | string, notice: Buffer | string, backplane: Broadcast): Promise<void> {
    const keys = entryKeys(this.#prefix, key)
    await this.#connection.run(
      overwrite,
      [keys.value, keys.lease, keys.waiters],
      [storeFor, bytes, keys.value, notice, backplane.channel, backplane.message],
    )
  }

  #seal(kind: Envelope['kind'], payload: Uint8Array, lifetime: StoredLifetime, loadTime: number): Buffer {
    const freshUntil = this.#clock.now() + this.#clockOffset + lifetime.ttl
    return encodeEnvelope({
      kind,
      freshUntil,
      staleUntil: freshUntil + lifetime.staleWhileRevalidate,
      errorUntil: freshUntil + lifetime.staleIfError,
      loadTime,
      payload,
    })
  }

  /** The entry with its instants on our clock, the marker, or nothing where the bytes cannot be understood. */
  #decode<V>(bytes: Buffer, codec: Codec<V>): Entry<V> | 'pass' | undefined {
    const envelope = decodeEnvelope(bytes)
    if (envelope === undefined) return undefined
    if (envelope.kind === 'pass') return 'pass'
    try {
      return {
        value: codec.decode(envelope.payload),
        freshUntil: envelope.freshUntil - this.#clockOffset,
        staleUntil: envelope.staleUntil - this.#clockOffset,
        errorUntil: envelope.errorUntil - this.#clockOffset,
        loadTime: envelope.loadTime,
      }
    } catch (error) {
      this.#report(error)
      return undefined
    }
  }

  #readNotice<V>(payload: Buffer, codec: Codec<V>): Notice<V> {
    switch (payload.toString('latin1', 0, 1)) {
      case ENVELOPE: {
        const entry = this.#decode(payload, codec)
        return entry === undefined || entry === 'pass' ? { kind: 'again' } : { kind: 'entry', entry }
      }
      case FAILED:
        return { kind: 'failed', failure: readFailure(payload.toString('utf8', 1)) }
      case PASS:
        return { kind: 'pass' }
      default:
        return { kind: 'again' }
    }
  }
}

/** What every process is told of a change: the channel of the backplane and the message for it. */
export interface Broadcast {
  readonly channel: string
  readonly message: string
}

function asEntry<V>(found: Entry<V> | 'pass' | undefined): Entry<V> | undefined {
  return found === 'pass' ? undefined : found
}

function longest(lifetime: StoredLifetime): number {
  return lifetime.ttl + Math.max(lifetime.staleWhileRevalidate, lifetime.staleIfError)
}

function readFailure(json: string): RemoteFailure {
  try {
    const { name, message, origin } = JSON.parse(json) as Record<string, unknown>
    return { name: String(name), message: String(message), origin: String(origin) }
  } catch {
    return { name: 'Error', message: json, origin: 'another process' }
  }
}
