import type { Clock } from '../../clock.ts'
import { claimChannel, traced, type ClaimMessage } from '../../diagnostics.ts'
import type { ClosedError } from '../../errors.ts'
import { Locker } from '../../lock/locker.ts'
import type { Random } from '../../random.ts'
import type { Codec } from '../../store/codec.ts'
import type { Entry } from '../../store/entry.ts'
import type { HeldLease, Listing } from '../../store/inspector.ts'
import type { Notice } from '../../store/notice.ts'
import type { PlainRead } from '../../store/plain-reads.ts'
import type { Busy, Claim, Possession, RedisStore, Storing } from '../../store/redis-store.ts'
import type { StoredEntry } from '../../store/stored-entry.ts'
import { Backplane, type Change } from './backplane.ts'
import type { CacheLease, LeaseListing } from '../watch/inspection.ts'
import { RedisLease, type Lease } from './lease.ts'
import { Mailbox } from './mailbox.ts'
import type { ResolvedOptions } from '../options.ts'
import { RedisMember } from './member.ts'
import type { RedisStats } from '../watch/stats.ts'

/** Waiters look again this many ms after the lease should have ended, plus up to JITTER more at random. */
const AFTER_LEASE = 5
const JITTER = 40
/** How often those look who cannot be told, because the inbox is not open. */
const POLL = 100

export interface RedisTierHooks {
  /** Something failed that costs nobody an answer. */
  report(error: unknown): void
  /** Another process has changed entries. */
  onChange(change: Change): void
  /** With tracking: somebody has changed the values under these keys. */
  onTracked(valueKeys: readonly string[]): void
  /** Changes may have been missed, and none will be from now on. */
  onGap(): void
}

export interface OpenMailbox<V> {
  readonly mailbox: Mailbox<Notice<V>>
  close(): void
}

/**
 * What one cache shares with other processes by way of Redis: entries, leases, waiting, changes. With several
 * instances the lease is held in all, taken in their order; the first hit is read; everything is written to all.
 */
export class RedisTier {
  readonly #clock: Clock
  readonly #random: Random
  readonly #members: readonly RedisMember[]
  readonly #locker: Locker
  readonly #backplane: Backplane
  readonly #lockTtl: number
  readonly #describe: (key: string) => ClaimMessage
  /** By it holders of leases are told apart. */
  readonly #inboxId: string

  constructor(options: ResolvedOptions, clock: Clock, random: Random, hooks: RedisTierHooks) {
    this.#clock = clock
    this.#random = random
    this.#lockTtl = options.lockTtl
    this.#describe = (key) => ({ cache: options.name, key: options.redactKey(key) })
    const backplane = new Backplane(options.prefix, random)
    const inboxId = random.token()
    this.#inboxId = inboxId
    const onBackplane = (message: Buffer): void => {
      const change = backplane.read(message)
      if (change !== undefined) hooks.onChange(change)
      if (change?.kind === 'all') this.#interruptWaits()
    }
    const onChange = (valueKeys: readonly string[] | undefined): void => {
      if (valueKeys === undefined) hooks.onGap()
      else hooks.onTracked(valueKeys)
    }
    // While the subscriber is away memory goes on answering, most of all when Redis is down; what it missed shows after.
    const onSync = (state: 'lost' | 'first' | 'again'): void => {
      if (state !== 'lost') hooks.onGap()
    }
    this.#backplane = backplane
    this.#members = options.redis.map(
      (client) =>
        new RedisMember(
          client,
          options,
          backplane,
          inboxId,
          { clock, random },
          { report: hooks.report, onBackplane, onChange, onSync },
        ),
    )
    const instances = this.#members.map(({ instance }) => instance)
    this.#locker = new Locker({ clients: options.redis }, { clock, random, instances })
  }

  /**
   * One round trip a member: the fresh value, the lease, or a place among the waiters. What is fresh no longer than
   * `freshBeyond` counts as stale. Never rejects.
   */
  claim<V>(key: string, codec: Codec<V>, freshBeyond: number | undefined): Promise<Claim<V>> {
    if (!claimChannel.hasSubscribers) return this.#claim(key, codec, freshBeyond)
    const message = this.#describe(key)
    return traced(claimChannel, message, async () => {
      const claim = await this.#claim(key, codec, freshBeyond)
      message.state = claim.state
      return claim
    })
  }

  #claim<V>(key: string, codec: Codec<V>, freshBeyond: number | undefined): Promise<Claim<V>> {
    const token = this.#locker.createToken()
    this.#listen()
    if (this.#members.length > 1) return this.#claimAll(key, token, codec, freshBeyond)
    const { store } = this.#members[0] as RedisMember
    return store.claim(key, token, this.#lockTtl, codec, freshBeyond)
  }

  stats(): RedisStats[] {
    return this.#members.map((member) => member.stats())
  }

  /** Opens the inboxes at the first use of Redis, which does not wait for them. */
  #listen(): void {
    for (const { inbox } of this.#members) if (!inbox.ready) inbox.open().catch(() => {})
  }

  /** Whether plain reads are worth trying before a claim. */
  get expectsHits(): boolean {
    return this.#members.length === 1 && (this.#members[0] as RedisMember).store.expectsHits
  }

  /** The key under which the value of `key` stands in Redis. */
  valueKey(key: string): string {
    return (this.#members[0] as RedisMember).store.valueKey(key)
  }

  /** A plain read: the entry if it is fresh and can be used without a further question. */
  look<V>(read: PlainRead<V>): Promise<V> {
    return (this.#members[0] as RedisMember).store.look(read)
  }

  /** Who looks finds nothing any more. */
  endLooks(error: ClosedError): void {
    for (const { store } of this.#members) store.endLooks(error)
  }

  /** In order, and given back in reverse where one does not give the lease. */
  async #claimAll<V>(key: string, token: string, codec: Codec<V>, freshBeyond: number | undefined): Promise<Claim<V>> {
    const possessions: Possession[] = []
    let stale: Entry<V> | undefined
    for (const { store } of this.#members) {
      const claim = await store.claim(key, token, this.#lockTtl, codec, freshBeyond)
      if (claim.state !== 'leased') {
        const taken = this.#members.slice(0, possessions.length).reverse()
        for (const member of taken) member.store.abandon(key, token).catch(() => {})
        return claim
      }
      possessions.push(...claim.possessions)
      stale ??= claim.stale
    }
    return { state: 'leased', stale, possessions }
  }

  /** Takes in the notices for `key` that are told of the refill in `claim`'s way; interrupted whenever they may have been missed. */
  openMailbox<V>(key: string, codec: Codec<V>, claim: Busy<V>): OpenMailbox<V> {
    const mailbox = new Mailbox<Notice<V>>(this.#clock)
    const stops = this.#members.flatMap(({ store, inbox }) => [
      store.listen(key, codec, claim, mailbox.deliver),
      inbox.onReset(mailbox.interrupt, claim.sentAt),
    ])
    return {
      mailbox,
      close() {
        for (const stop of stops) stop()
      },
    }
  }

  /** The notice that ends a wait, or `undefined` when it is time to claim again; at the latest after `ms`. */
  async waitForNotice<V>(mailbox: Mailbox<Notice<V>>, claim: Busy<V>, ms: number): Promise<Notice<V> | undefined> {
    // Not registered, because the inbox was not open yet: its opening resets it, and so interrupts this wait.
    const untilNextLook = claim.registered ? claim.leaseEndsIn + AFTER_LEASE : Math.min(claim.leaseEndsIn, POLL)
    const end = await mailbox.next(Math.min(untilNextLook + JITTER * this.#random.uniform(), Math.max(ms, 0)))
    return typeof end === 'string' ? undefined : end
  }

  /** The lease that a claim has taken, kept alive until it is ended. */
  lease(key: string, possessions: readonly Possession[]): Lease {
    const { token, sentAt } = possessions[0] as Possession
    const { store } = this.#members[0] as RedisMember
    const taken = { key: store.leaseKey(key), token, ttl: this.#lockTtl, takenAt: sentAt, autoExtend: true }
    return new RedisLease(this.#members, possessions, this.#locker.adopt(taken), key)
  }

  /** The first fresh entry that a member has; failing that a stale one. */
  async read<V>(key: string, codec: Codec<V>): Promise<Entry<V> | undefined> {
    this.#listen()
    let stale: Entry<V> | undefined
    for (const member of this.#members) {
      const entry = await member.attempt((store) => store.read(key, codec))
      if (entry !== undefined && this.#clock.now() < entry.freshUntil) return entry
      stale ??= entry
    }
    return stale
  }

  write(key: string, payload: Uint8Array, storing: Storing): Promise<void> {
    return this.#onAll((store) => store.write(key, payload, storing, this.#backplane.announce({ kind: 'key', key })))
  }

  remove(key: string): Promise<void> {
    return this.#onAll((store) => store.remove(key, this.#backplane.announce({ kind: 'key', key })))
  }

  async removeAll(): Promise<void> {
    await this.#onAll((store) => store.removeAll(this.#backplane.announce({ kind: 'all' })))
    this.#interruptWaits()
  }

  /** The leases that others waited for may be gone, and with them whoever would have told of their end. */
  #interruptWaits(): void {
    for (const { inbox } of this.#members) inbox.interrupt()
  }

  invalidateTag(tag: string): Promise<void> {
    return this.#onAll((store) => store.invalidateTag(tag, this.#backplane.announce({ kind: 'tag', tag })))
  }

  /** The entry that a reader would get, and the lease, which is held in every member if in any. Rejects with Redis's error. */
  async examine(key: string): Promise<{ entry: StoredEntry | undefined; lease: CacheLease | undefined }> {
    let entry: StoredEntry | undefined
    let lease: HeldLease | undefined
    for (const { breaker, inspector } of this.#members) {
      const [found, held] = await breaker.run(() => Promise.all([inspector.entry(key), inspector.lease(key)]))
      if (entry?.state !== 'fresh') entry = found ?? entry
      lease ??= held
    }
    return { entry, lease: lease && this.#ownOrNot(lease) }
  }

  /** Leases are taken in the order of members, so that the first has them all. Rejects with Redis's error. */
  async leases(previous: Listing<HeldLease> | undefined, expected: Iterable<string>): Promise<LeaseListing> {
    const { breaker, inspector } = this.#members[0] as RedisMember
    const listing = await breaker.run(() => inspector.leases(previous, expected))
    return { ...listing, items: listing.items.map((lease) => this.#ownOrNot(lease)) }
  }

  #ownOrNot(lease: HeldLease): CacheLease {
    return { ...lease, own: lease.holder === this.#inboxId }
  }

  async close(): Promise<void> {
    for (const { inbox } of this.#members) inbox.close()
    await this.#locker.close()
  }

  /** Every member is tried; rejects with the first error if any failed. */
  async #onAll(operation: (store: RedisStore) => Promise<void>): Promise<void> {
    this.#listen()
    const results = await Promise.allSettled(this.#members.map((member) => member.run(operation)))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
}
