import type { Clock } from '../clock.ts'
import { BreakerOpenError, type ClosedError, quote } from '../errors.ts'
import type { Breaker, Guard } from '../redis/breaker.ts'
import { lateReply, type Connection } from '../redis/connection.ts'
import { entryKeys, valueKey } from '../redis/entry-keys.ts'
import type { Inboxes } from '../redis/inboxes.ts'
import { deleteIfSame } from '../redis/scripts/delete-if-same.ts'
import { ClaimBatches, type ClaimReply, type ClaimRequest, type SentClaim } from './claim-batch.ts'
import type { Codec } from './codec.ts'
import { Endings, type Possession } from './endings.ts'
import type { ReadEntry } from './entry.ts'
import { decodeEnvelope, type Envelope, type Kind } from './envelope.ts'
import { LOOK, readFailure, readNotice, type Notice, type RemoteFailure } from './notice.ts'
import { Overwrites } from './overwrites.ts'
import { PlainReads, type PlainRead } from './plain-reads.ts'
import { askTime, RedisClock } from './redis-clock.ts'
import { EndBatches, RENEWING, SETTLING } from './settle-batch.ts'
import type { SlotLine } from './slot-line.ts'
import { Tags } from './tags.ts'
import { toLocalEntry } from './to-local-entry.ts'

/** Redis's answer to a caller that has no fresh value. */
export type Claim<V> =
  | { readonly state: 'fresh'; readonly entry: ReadEntry<V>; readonly payload: Uint8Array }
  /** A marker: results of this key are not shareable for now. Load alone, without a lock. */
  | { readonly state: 'pass' }
  /** A marker: results of this key cannot be sent for now. Load in this process, without a lock. */
  | { readonly state: 'local' }
  /** A load failed a short while ago. That is remembered until a local time. */
  | RememberedFailure
  /** Redis failed, which was reported. */
  | { readonly state: 'unavailable' }
  | Leased<V>
  | Busy<V>

export interface RememberedFailure {
  readonly state: 'failed'
  readonly failure: RemoteFailure
  readonly until: number
  /** The tags of the load, in readable form. */
  readonly tags: readonly string[]
}

export interface Leased<V> {
  readonly state: 'leased'
  readonly stale: ReadEntry<V> | undefined
  /** The encoded value of `stale`. */
  readonly payload: Uint8Array | undefined
  /** One for each Redis that has the lease. */
  readonly possessions: readonly Possession[]
}

export interface Busy<V> {
  readonly state: 'busy'
  readonly stale: ReadEntry<V> | undefined
  readonly leaseEndsIn: number
  /** The token of that lease: only notices about it are an answer. */
  readonly holder: string
  /** Local time at which the claim was sent: no notice since then may be missed. */
  readonly sentAt: number
  /** Whether this process will get the result. */
  readonly registered: boolean
}

/** What a claim asks for. */
export interface ClaimTerms {
  /** An entry that is fresh no longer than until this local time counts as stale. */
  readonly freshBeyond?: number | undefined
  /** Takes the lease from its holder. Processes that wait for that holder look again. */
  readonly takesOver?: boolean | undefined
  /** Also asks for a slot to load in, under the same token as the lease. */
  readonly wantsSlot?: boolean
  /** ms for which it may be put off while loads stand in line. Default 0. */
  readonly patience?: number
}

/** One that claims. */
export interface Claiming<V> {
  /** Must not throw. */
  claimed(claim: Claim<V> | Promise<Claim<V>>): void
}

/** What the store does for a claim. */
interface Answering {
  sent(key: string, freshBeyond: number | undefined): Pick<SentClaim, 'keys' | 'freshBeyond'>
  understand<V>(asked: Asked<V>, reply: ClaimReply): Claim<V> | Promise<Claim<V>>
  unavailable<V>(asked: Asked<V>, error: unknown): Claim<V>
}

/** A claim under way, with what its reply will need. */
class Asked<V> implements ClaimRequest {
  readonly #answering: Answering
  readonly #makeToken: () => string
  readonly terms: ClaimTerms
  readonly #claiming: Claiming<V>
  readonly key: string
  readonly lockTtl: number
  readonly codec: Codec<V>
  /** Set, like the next field, when the claim leaves. */
  token = ''
  sentAt = 0

  constructor(
    answering: Answering,
    key: string,
    makeToken: () => string,
    lockTtl: number,
    codec: Codec<V>,
    terms: ClaimTerms,
    claiming: Claiming<V>,
  ) {
    this.#answering = answering
    this.key = key
    this.#makeToken = makeToken
    this.lockTtl = lockTtl
    this.codec = codec
    this.terms = terms
    this.#claiming = claiming
  }

  get patience(): number {
    return this.terms.patience ?? 0
  }

  send(sentAt: number): SentClaim {
    if (this.token === '') this.token = this.#makeToken()
    this.sentAt = sentAt
    const { takesOver = false, wantsSlot = false } = this.terms
    const { keys, freshBeyond } = this.#answering.sent(this.key, this.terms.freshBeyond)
    return { keys, token: this.token, freshBeyond, takesOver, wantsSlot }
  }

  onReply(reply: ClaimReply): Claim<V> | Promise<Claim<V>> {
    const claim = this.#answering.understand(this, reply)
    this.#claiming.claimed(claim)
    return claim
  }

  onFailure(error: unknown): void {
    this.#claiming.claimed(this.#answering.unavailable(this, error))
  }
}

/** The entries in one Redis, L2, and the protocol by which only one process refills an entry. */
export class RedisStore {
  readonly #connection: Connection
  readonly #inboxes: Inboxes
  readonly #clock: Clock
  readonly #prefix: string
  readonly #report: (error: unknown) => void
  readonly #claims: ClaimBatches
  readonly #slots: SlotLine | undefined
  readonly #reads: PlainReads
  readonly #redisClock: RedisClock
  readonly #tags: Tags
  /** How refills end. */
  readonly endings: Endings
  /** Changes of entries from outside a refill. */
  readonly overwrites: Overwrites

  constructor(
    connection: Connection,
    inboxes: Inboxes,
    clock: Clock,
    prefix: string,
    /** Gets failures after which every caller still gets its answer. */
    report: (error: unknown) => void,
    breaker: Breaker,
    /** Set if loads are limited. */
    slots?: SlotLine,
  ) {
    const guard: Guard = (operation) => breaker.run(operation)
    this.#slots = slots
    this.#connection = connection
    this.#inboxes = inboxes
    this.#clock = clock
    this.#prefix = prefix
    this.#report = report
    this.#tags = new Tags(connection, clock, prefix)
    const tagKeys = (): string => this.#tags.scriptArgument
    this.#claims = new ClaimBatches(connection, tagKeys, inboxes, guard, clock, slots)
    this.#redisClock = new RedisClock(clock)
    const settlements = new EndBatches(SETTLING, connection, prefix, this.#redisClock, tagKeys, breaker.watch)
    const renewals = new EndBatches(RENEWING, connection, prefix, this.#redisClock, tagKeys, breaker.watch)
    this.endings = new Endings(settlements, renewals, this.#tags)
    this.overwrites = new Overwrites(connection, this.#redisClock, this.#tags, prefix, clock)
    this.#reads = new PlainReads(connection, clock, this.#redisClock, report, guard)
  }

  /** See `Tags.areChangedSince`. */
  areTagsChangedSince(forms: readonly string[], since: number): Promise<boolean> {
    return this.#tags.areChangedSince(forms, since)
  }

  leaseKey(key: string): string {
    return entryKeys(this.#prefix, key).lease
  }

  /**
   * One round trip: reads the entry. Unless it is fresh, takes the lease with a token of `makeToken` or registers as a
   * waiter. Never rejects.
   */
  claim<V>(
    key: string,
    makeToken: () => string,
    lockTtl: number,
    codec: Codec<V>,
    terms: ClaimTerms = {},
  ): Promise<Claim<V>> {
    return new Promise((claimed) => this.claimFor({ claimed }, key, makeToken, lockTtl, codec, terms))
  }

  /** The same for one of thousands: hands over the outcome without a promise, if possible. */
  claimFor<V>(
    claiming: Claiming<V>,
    key: string,
    makeToken: () => string,
    lockTtl: number,
    codec: Codec<V>,
    terms: ClaimTerms,
  ): void {
    this.#claims.add(new Asked(this.#answering, key, makeToken, lockTtl, codec, terms, claiming))
  }

  readonly #answering: Answering = {
    sent: (key, freshBeyond) => ({
      keys: entryKeys(this.#prefix, key),
      freshBeyond: freshBeyond === undefined ? undefined : this.#freshBeyond(freshBeyond),
    }),
    understand: (asked, reply) => this.#understand(asked, reply),
    unavailable: (asked, error) => this.#unavailable(asked, error),
  }

  /** The form that the script reads. Infinity: everything counts as stale. */
  #freshBeyond(local: number): number {
    return local === Infinity ? LAST_INSTANT : Math.round(this.#redisClock.fromLocal(local) + CLOCK_TOLERANCE)
  }

  /** The claim that a reply makes. A promise if more has to be asked. */
  #understand<V>(asked: Asked<V>, reply: ClaimReply): Claim<V> | Promise<Claim<V>> {
    this.#redisClock.note(reply.now / 1000, asked.sentAt)
    if (!asked.terms.takesOver) this.#reads.noteOutcome(reply.state === 'fresh')
    if (reply.damaged) this.#report(new Error(`what stood in Redis for ${quote(asked.key)} was no entry of ours`))
    const envelope = reply.bytes === null ? undefined : decodeEnvelope(reply.bytes)
    if (envelope === undefined || envelope.tags.length === 0 || !this.#tags.areOurs) {
      return this.#conclude(asked, reply, envelope)
    }
    return this.#tags.leftOf(envelope, asked.key, reply.now / 1000).then(
      (left) => this.#concludeTagged(asked, reply, envelope, left),
      (error: unknown) => this.#unavailable(asked, error),
    )
  }

  /** Tags, which the script could not check, may have ended an entry that is fresh by its header. */
  #concludeTagged<V>(
    asked: Asked<V>,
    reply: ClaimReply,
    envelope: Envelope,
    left: Envelope | undefined,
  ): Claim<V> | Promise<Claim<V>> {
    const { key, token, lockTtl, codec, terms } = asked
    const { freshBeyond = -Infinity } = terms
    const staleBefore = Math.max(reply.now / 1000, this.#redisClock.fromLocal(freshBeyond))
    const isEnded = left !== undefined && left !== envelope && left.freshUntil <= staleBefore
    if (reply.state !== 'fresh' || !isEnded) return this.#conclude(asked, reply, left)
    return this.claim(key, () => token, lockTtl, codec, {
      ...terms,
      freshBeyond: this.#redisClock.toLocal(envelope.freshUntil),
    })
  }

  #conclude<V>(asked: Asked<V>, reply: ClaimReply, envelope: Envelope | undefined): Claim<V> | Promise<Claim<V>> {
    const { key, token, sentAt } = asked
    const found = envelope && this.#decode(envelope, asked.codec)
    const stale = asEntry(found)
    if (reply.state === 'leased') {
      if (reply.slot !== undefined) this.#slots?.noteClaimed(token, reply.slot, sentAt)
      const payload = stale && envelope?.payload
      return { state: 'leased', stale, payload, possessions: [{ token, sentAt, grantedAt: reply.now }] }
    }
    if (reply.state !== 'fresh') {
      const { state: leaseEndsIn, holder, registered } = reply
      return { state: 'busy', leaseEndsIn, holder, sentAt, registered, stale }
    }
    if (found === 'pass') return PASSED
    if (found === 'local') return IN_PROCESS
    if (found === 'failed') return this.#remembered(envelope as Envelope)
    if (found !== undefined && envelope !== undefined)
      return { state: 'fresh', entry: found, payload: envelope.payload }
    // Fresh by its header, but useless: delete it, so that the next claim gets the lease.
    return this.#connection.run(deleteIfSame, [this.valueKey(key)], [reply.bytes as Buffer]).then(
      () => this.claim(key, () => token, asked.lockTtl, asked.codec, { ...asked.terms, freshBeyond: undefined }),
      (error: unknown) => this.#unavailable(asked, error),
    )
  }

  #remembered({ payload, freshUntil, tags }: Envelope): RememberedFailure {
    const until = this.#redisClock.toLocal(freshUntil)
    return {
      state: 'failed',
      failure: readFailure(Buffer.from(payload).toString()),
      until,
      tags: tags.map(([tag]) => tag),
    }
  }

  /**
   * A claim that failed here may still take the lease in Redis. On the same connection, the release comes after it. But a
   * Cluster's client may send the claim last, to a new master, so it is released once more when its late reply comes.
   */
  #unavailable<V>({ key, token, terms }: Asked<V>, error: unknown): Claim<V> {
    if (terms.wantsSlot) this.#slots?.unanswered(token, error)
    if (error instanceof BreakerOpenError) return UNAVAILABLE
    this.#report(error)
    const release = (): void => void this.endings.abandon(key, { token, hasRunOut: false }).catch(() => {})
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

  /** A plain read: the entry, if it is fresh and can be used without another question. */
  look<V>(read: PlainRead<V>): Promise<V> {
    return this.#reads.answer(read)
  }

  /** Makes all plain reads under way find nothing. */
  endLooks(error: ClosedError): void {
    this.#reads.close(error)
  }

  /** Reads without claiming: the entry, fresh or stale, and its encoded value, or nothing. */
  async read<V>(key: string, codec: Codec<V>): Promise<{ entry: ReadEntry<V>; payload: Uint8Array } | undefined> {
    if (!this.#redisClock.isKnownAt(this.#clock.now())) await askTime(this.#connection, this.#redisClock)
    const bytes = (await this.#connection.readBuffer(this.valueKey(key))) as Buffer | null
    const envelope = bytes === null ? undefined : decodeEnvelope(bytes)
    if (envelope === undefined) return undefined
    const left = await this.#tags.leftOf(envelope, key, this.#redisClock.fromLocal(this.#clock.now()))
    const entry = left && asEntry(this.#decode(left, codec))
    return entry && { entry, payload: envelope.payload }
  }

  /**
   * Calls `onNotice` with the outcome of the refill under the lease of `claim`, and `onReset` when that may have been
   * missed, until the returned function is called. Late notices of an earlier refill do not count: its value may have been
   * invalidated by then.
   */
  listen<V>(
    key: string,
    codec: Codec<V>,
    claim: Busy<V>,
    onNotice: (notice: Notice<V>) => void,
    onReset: () => void,
  ): () => void {
    let envelope: Envelope | undefined
    const decode = (bytes: Buffer): ReadEntry<V> | undefined => {
      envelope = decodeEnvelope(bytes)
      return envelope && asEntry(this.#decode(envelope, codec))
    }
    const onPayload = (payload: Buffer): void => {
      const notice = readNotice(payload, decode)
      const told = envelope
      if (notice.kind !== 'entry' || told === undefined || told.tags.length === 0 || !this.#tags.areOurs) {
        return onNotice(notice)
      }
      // A tag may have been changed on its way here, on another node.
      this.#tags.leftOf(told, key, 0).then(
        (left) => onNotice(left === told ? notice : LOOK),
        () => onNotice(LOOK),
      )
    }
    const valueKey = this.valueKey(key)
    return this.#inboxes.listen(valueKey, valueKey + claim.holder, claim.sentAt, onPayload, onReset)
  }

  #decode<V>(envelope: Envelope, codec: Codec<V>): ReadEntry<V> | Exclude<Kind, 'value'> | undefined {
    if (envelope.kind !== 'value') return envelope.kind
    const { payload } = envelope
    try {
      const tags = envelope.tags.map(([tag]) => tag)
      const again = (): V => codec.decode(new Uint8Array(payload)) // a decoder may return a view of its input
      const decoded = { value: codec.decode(payload), bytes: payload.byteLength, again }
      return toLocalEntry(decoded, envelope, tags, this.#redisClock)
    } catch (error) {
      this.#report(error)
      return undefined
    }
  }
}

/** ms by which two measurements of the clock may differ although the value is the same. */
const CLOCK_TOLERANCE = 5
/** The last time that a header can hold, in ms. */
const LAST_INSTANT = 9_999_999_999_999
const PASSED = { state: 'pass' } as const
const IN_PROCESS = { state: 'local' } as const
const UNAVAILABLE = { state: 'unavailable' } as const

function asEntry<V>(found: ReadEntry<V> | Exclude<Kind, 'value'> | undefined): ReadEntry<V> | undefined {
  return typeof found === 'string' ? undefined : found
}
