import type { Clock } from '../clock.ts'
import { BreakerOpenError, type ClosedError, quote } from '../errors.ts'
import { lateReply, type Connection } from '../redis/connection.ts'
import { deleteBeginningWith } from '../redis/delete-matching.ts'
import { entryKeys, entryKeysBeginning, valueKey } from '../redis/entry-keys.ts'
import type { Inbox } from '../redis/inbox.ts'
import { lockKeys } from '../redis/lock-keys.ts'
import { deleteIfSame } from '../redis/scripts/delete-if-same.ts'
import { overwrite } from '../redis/scripts/overwrite.ts'
import { settle } from '../redis/scripts/settle.ts'
import { ClaimBatch, type ClaimReply, type Guard } from './claim-batch.ts'
import type { Codec } from './codec.ts'
import { enter } from './enter.ts'
import type { Entry } from './entry.ts'
import { decodeEnvelope, encodeEnvelope, type Envelope, type StoredTag } from './envelope.ts'
import { PlainReads, type PlainRead } from './plain-reads.ts'
import { RedisClock } from './redis-clock.ts'
import { Tags } from './tags.ts'
import { AGAIN, failureNotice, PASS, readNotice, type Notice, type RemoteFailure } from './notice.ts'

/** What Redis answers to a caller that has no fresh value. */
export type Claim<V> =
  | { readonly state: 'fresh'; readonly entry: Entry<V> }
  /** A marker: results of this key are not shareable for now; load alone, without a lock. */
  | { readonly state: 'pass' }
  /** Redis failed; which was reported. */
  | { readonly state: 'unavailable' }
  | Leased<V>
  | Busy<V>

interface Leased<V> {
  readonly state: 'leased'
  readonly stale: Entry<V> | undefined
  /** One for each Redis in which the lease is held. */
  readonly possessions: readonly Possession[]
}

export interface Busy<V> {
  readonly state: 'busy'
  readonly stale: Entry<V> | undefined
  readonly leaseEndsIn: number
  /** The token of that lease: only what is told of it is an answer. */
  readonly holder: string
  /** Local instant at which the claim was sent: nothing that was told since then may be missed. */
  readonly sentAt: number
  /** Whether this process will be told of the result. */
  readonly registered: boolean
}

/** What is known of a claim when its reply comes. */
interface Asked<V> {
  readonly key: string
  readonly token: string
  readonly lockTtl: number
  readonly codec: Codec<V>
  readonly sentAt: number
  readonly registered: boolean
}

/** A lease that was taken: by which token, and when. */
export interface Possession {
  readonly token: string
  /** Local instant at which the claim was sent. */
  readonly sentAt: number
  /** µs on Redis's clock at which it was granted. */
  readonly grantedAt: number
}

/** How a value is to be stored. Durations in ms from the moment at which it is stored. */
export interface Storing {
  readonly ttl: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly tags: readonly string[]
}

/** What every process is told of a change: the channel of the backplane and the message for it. */
export interface Broadcast {
  readonly channel: string
  readonly message: string
}

/** Values up to this many bytes travel inside the message that wakes waiters; larger ones are read by each process. */
const LARGEST_IN_MESSAGE = 64 * 1024

/** The entries in one Redis, L2, and the protocol by which one process of all refills them. */
export class RedisStore {
  readonly #connection: Connection
  readonly #inbox: Inbox
  readonly #clock: Clock
  readonly #prefix: string
  readonly #report: (error: unknown) => void
  readonly #claims: ClaimBatch
  readonly #reads: PlainReads
  readonly #redisClock: RedisClock
  readonly #tags: Tags

  constructor(
    connection: Connection,
    inbox: Inbox,
    clock: Clock,
    prefix: string,
    /** Told of damage that costs nobody an answer. */
    report: (error: unknown) => void,
    guard: Guard,
  ) {
    this.#connection = connection
    this.#inbox = inbox
    this.#clock = clock
    this.#prefix = prefix
    this.#report = report
    this.#tags = new Tags(connection, clock, prefix)
    this.#claims = new ClaimBatch(connection, () => this.#tags.scriptArgument, inbox, guard)
    this.#redisClock = new RedisClock(connection, clock)
    this.#reads = new PlainReads(connection, clock, this.#redisClock, report, guard)
  }

  /** ARGV of the scripts that may hand a lease over: of several nodes PUBLISH counts the subscribers of one. */
  get #countsSubscribers(): string {
    return this.#connection.splitsKeys ? '0' : '1'
  }

  leaseKey(key: string): string {
    return entryKeys(this.#prefix, key).lease
  }

  /**
   * One round trip: reads the entry and, unless it is fresh, takes the lease under `token` or registers as a waiter.
   * What is fresh no longer than `freshBeyond`, on the local clock, counts as stale. Never rejects.
   */
  claim<V>(key: string, token: string, lockTtl: number, codec: Codec<V>, freshBeyond?: number): Promise<Claim<V>> {
    const keys = entryKeys(this.#prefix, key)
    const sentAt = this.#clock.now()
    const asked: Asked<V> = { key, token, lockTtl, codec, sentAt, registered: this.#inbox.ready }
    const beyond =
      freshBeyond === undefined ? undefined : Math.round(this.#redisClock.fromLocal(freshBeyond) + CLOCK_TOLERANCE)
    return new Promise((resolve) => {
      this.#claims.add({
        keys,
        token,
        lockTtl,
        freshBeyond: beyond,
        onReply: (reply) => {
          const claim = this.#understand(asked, reply)
          resolve(claim)
          return claim
        },
        onFailure: (error) => resolve(this.#unavailable(asked, error)),
      })
    })
  }

  /** What a reply to a claim says; a promise where more has to be asked. */
  #understand<V>(asked: Asked<V>, reply: ClaimReply): Claim<V> | Promise<Claim<V>> {
    this.#redisClock.note(reply.now / 1000, asked.sentAt)
    this.#reads.noteOutcome(reply.state === 'fresh')
    if (reply.damaged) this.#report(new Error(`what stood in Redis for ${quote(asked.key)} was no entry of ours`))
    const envelope = reply.bytes === null ? undefined : decodeEnvelope(reply.bytes)
    if (envelope === undefined || envelope.tags.length === 0 || !this.#tags.areOurs) {
      return this.#conclude(asked, reply, envelope)
    }
    return this.#tags.areValid(envelope.tags).then(
      (valid) => this.#conclude(asked, reply, valid ? envelope : undefined),
      (error: unknown) => this.#unavailable(asked, error),
    )
  }

  #conclude<V>(asked: Asked<V>, reply: ClaimReply, envelope: Envelope | undefined): Claim<V> | Promise<Claim<V>> {
    const { key, token, sentAt, registered } = asked
    const found = envelope && this.#decode(envelope, asked.codec)
    const stale = asEntry(found)
    if (reply.state === 'leased') {
      return { state: 'leased', stale, possessions: [{ token, sentAt, grantedAt: reply.now }] }
    }
    if (reply.state !== 'fresh') {
      return { state: 'busy', leaseEndsIn: reply.state, holder: reply.holder, sentAt, registered, stale }
    }
    if (found === 'pass') return PASSED
    if (found !== undefined) return { state: 'fresh', entry: found }
    // Fresh by its header, but of no use: out of the way with it, so that the next claim gets the lease.
    return this.#connection.run(deleteIfSame, [this.valueKey(key)], [reply.bytes as Buffer]).then(
      () => this.claim(key, token, asked.lockTtl, asked.codec),
      (error: unknown) => this.#unavailable(asked, error),
    )
  }

  /**
   * A claim that failed here may yet take the lease over there. On the same connection the release comes after it; a
   * Cluster's client may send it to a new master last, so it is released once more when its late reply comes.
   */
  #unavailable<V>({ key, token }: Asked<V>, error: unknown): Claim<V> {
    if (error instanceof BreakerOpenError) return UNAVAILABLE
    this.#report(error)
    const release = (): void => void this.abandon(key, token).catch(() => {})
    release()
    lateReply(error)?.then(release, () => {})
    return UNAVAILABLE
  }

  /** Whether plain reads are worth trying before a claim. */
  get expectsHits(): boolean {
    return this.#reads.areWorthwhile
  }

  valueKey(key: string): string {
    return valueKey(this.#prefix, key)
  }

  /** A plain read: the entry if it is fresh and can be used without a further question. */
  look<V>(read: PlainRead<V>): Promise<V> {
    return this.#reads.answer(read)
  }

  /** Who looks finds nothing any more. */
  endLooks(error: ClosedError): void {
    this.#reads.close(error)
  }

  /** Stores a loaded value and hands it to the waiters, if the lease is still held; answers whether that was so. */
  async commit(
    key: string,
    { token, sentAt, grantedAt }: Possession,
    payload: Uint8Array,
    storing: Storing,
    loadTime: number,
  ): Promise<boolean> {
    const storeFor = storedFor(storing)
    const tags = this.#tags.areOurs
      ? await this.#tags.forLoaded(storing.tags, sentAt, storeFor)
      : this.#tags.of(storing.tags, grantedAt)
    if (tags === undefined) {
      await this.abandon(key, token)
      return false
    }
    const bytes = this.#seal('value', payload, storing, tags, loadTime)
    return this.#settle(key, token, storeFor, bytes, bytes.length <= LARGEST_IN_MESSAGE ? '' : AGAIN)
  }

  /** Hands a value that is not to be kept to the waiters. One too large for a message each must load for itself. */
  async deliver(key: string, token: string, payload: Uint8Array): Promise<boolean> {
    const bytes = this.#seal('value', payload, NOT_KEPT, [], 0)
    return this.#settle(key, token, 0, '', bytes.length <= LARGEST_IN_MESSAGE ? bytes : PASS)
  }

  /** Ends the lease; the waiters of this attempt get its failure. */
  fail(key: string, token: string, failure: RemoteFailure): Promise<boolean> {
    return this.#settle(key, token, 0, '', failureNotice(failure))
  }

  /** Ends the lease; waiters and, for `duration` ms, everyone who follows load for themselves, unlocked. */
  pass(key: string, token: string, duration: number): Promise<boolean> {
    const bytes = this.#seal('pass', new Uint8Array(), { ...NOT_KEPT, ttl: duration }, [], 0)
    return this.#settle(key, token, duration, bytes, PASS)
  }

  /** Ends the lease without a result; waiters compete again. */
  abandon(key: string, token: string): Promise<boolean> {
    return this.#settle(key, token, 0, '', AGAIN)
  }

  /** Reads without claiming: the entry, fresh or stale, or nothing. */
  async read<V>(key: string, codec: Codec<V>): Promise<Entry<V> | undefined> {
    await this.#redisClock.ask()
    const bytes = (await this.#connection.readBuffer(this.valueKey(key))) as Buffer | null
    const envelope = bytes === null ? undefined : decodeEnvelope(bytes)
    if (envelope === undefined || !(await this.#tags.areValid(envelope.tags))) return undefined
    return asEntry(this.#decode(envelope, codec))
  }

  /** Puts a value in place of whatever there is; a running refill loses its lease in the same step. */
  async write(key: string, payload: Uint8Array, storing: Storing, backplane: Broadcast): Promise<void> {
    await this.#redisClock.ask()
    const tags = await this.#tags.forNew(storing.tags, storedFor(storing))
    const bytes = this.#seal('value', payload, storing, tags, 0)
    await this.#overwrite(key, storedFor(storing), bytes, bytes.length <= LARGEST_IN_MESSAGE ? bytes : AGAIN, backplane)
  }

  /** Deletes the entry; a running refill loses its lease in the same step. */
  async remove(key: string, backplane: Broadcast): Promise<void> {
    await this.#overwrite(key, 0, '', AGAIN, backplane)
  }

  /** Makes all entries that have the tag, and were loaded or began to be loaded before now, count for nothing. */
  invalidateTag(tag: string, backplane: Broadcast): Promise<void> {
    return this.#tags.invalidate(tag, backplane)
  }

  /**
   * Deletes all keys of the prefix, then tells every process. Refills that run lose their lease. What one of them has
   * stored during the first pass, before its lease was met, goes with the second.
   */
  async removeAll({ channel, message }: Broadcast): Promise<void> {
    for (let pass = 0; pass < 2; pass++) {
      await deleteBeginningWith(this.#connection, entryKeysBeginning(this.#prefix))
    }
    await this.#connection.command('publish', this.#connection.channel(channel), message)
  }

  /**
   * Calls `onNotice` with what the refill under the lease of `claim` ends in, until the returned function is called.
   * What comes late of an earlier refill is none of it: by then its value may have been invalidated.
   */
  listen<V>(key: string, codec: Codec<V>, claim: Busy<V>, onNotice: (notice: Notice<V>) => void): () => void {
    const decode = (bytes: Buffer): Entry<V> | undefined => {
      const envelope = decodeEnvelope(bytes)
      return envelope && asEntry(this.#decode(envelope, codec))
    }
    return this.#inbox.listen(
      this.valueKey(key) + claim.holder,
      (payload) => onNotice(readNotice(payload, decode)),
      claim.sentAt,
    )
  }

  async #settle(
    key: string,
    token: string,
    storeFor: number,
    bytes: Buffer | string,
    notice: Buffer | string,
  ): Promise<boolean> {
    const [keys, topic] = this.#keysToChange(key)
    const args = [token, storeFor, bytes, topic, notice, this.#tags.scriptArgument, AGAIN, this.#countsSubscribers]
    return Number(await this.#connection.run(settle, keys, args)) === 1
  }

  async #overwrite(
    key: string,
    storeFor: number,
    bytes: Buffer | string,
    notice: Buffer | string,
    backplane: Broadcast,
  ): Promise<void> {
    const [keys, topic] = this.#keysToChange(key)
    const channel = this.#connection.channel(backplane.channel)
    const args = [storeFor, bytes, topic, notice, channel, backplane.message, this.#countsSubscribers]
    await this.#connection.run(overwrite, keys, args)
  }

  /** KEYS of the scripts that change an entry, and the topic under which they tell of it. */
  #keysToChange(key: string): [keys: string[], topic: string] {
    const { value, lease, waiters } = entryKeys(this.#prefix, key)
    return [[value, lease, waiters, lockKeys(this.#connection.client, lease).queue], value]
  }

  #seal(
    kind: Envelope['kind'],
    payload: Uint8Array,
    storing: Storing,
    tags: readonly StoredTag[],
    loadTime: number,
  ): Buffer {
    const freshUntil = this.#redisClock.now() + storing.ttl
    return encodeEnvelope({
      kind,
      freshUntil,
      staleUntil: freshUntil + storing.staleWhileRevalidate,
      errorUntil: freshUntil + storing.staleIfError,
      loadTime,
      tags,
      payload,
    })
  }

  #decode<V>(envelope: Envelope, codec: Codec<V>): Entry<V> | 'pass' | undefined {
    if (envelope.kind === 'pass') return 'pass'
    try {
      const tags = envelope.tags.map(([tag]) => tag)
      return enter(codec.decode(envelope.payload), envelope, tags, this.#redisClock)
    } catch (error) {
      this.#report(error)
      return undefined
    }
  }
}

/** ms by which two measurements of the clock may differ without a value being newer for it. */
const CLOCK_TOLERANCE = 5
const PASSED = { state: 'pass' } as const
const UNAVAILABLE = { state: 'unavailable' } as const
const NOT_KEPT: Storing = { ttl: 0, staleWhileRevalidate: 0, staleIfError: 0, tags: [] }

function asEntry<V>(found: Entry<V> | 'pass' | undefined): Entry<V> | undefined {
  return found === 'pass' ? undefined : found
}

function storedFor({ ttl, staleWhileRevalidate, staleIfError }: Storing): number {
  return ttl + Math.max(staleWhileRevalidate, staleIfError)
}
