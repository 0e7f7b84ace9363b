import type { Clock } from '../../clock.ts'
import { claimChannel, traced, type ClaimMessage } from '../../diagnostics.ts'
import type { ClosedError } from '../../errors.ts'
import { withoutVersion } from '../../key-version.ts'
import { Agenda } from '../../lock/agenda.ts'
import { Locker } from '../../lock/locker.ts'
import type { Random } from '../../random.ts'
import type { FleetLine } from '../../redis/fleet-line.ts'
import { Deadlines } from '../../redis/deadlines.ts'
import type { Codec, Encoded } from '../../store/codec.ts'
import type { Possession } from '../../store/endings.ts'
import type { ReadEntry } from '../../store/entry.ts'
import { inboxOf } from '../../store/holding.ts'
import type { HeldLease, Listing } from '../../store/inspector.ts'
import { LOOK, type Notice } from '../../store/notice.ts'
import type { Overwrites } from '../../store/overwrites.ts'
import type { PlainRead } from '../../store/plain-reads.ts'
import type { Busy, Claim, Claiming, ClaimTerms } from '../../store/redis-store.ts'
import type { SlotLine } from '../../store/slot-line.ts'
import type { AnnouncedTag } from '../../store/tags.ts'
import type { StoredEntry } from '../../store/stored-entry.ts'
import type { Storing } from '../../store/storing.ts'
import type { StreamLog } from '../../stream/stream-log.ts'
import type { ResolvedOptions } from '../options.ts'
import type { CacheLease, LeaseListing } from '../watch/inspection.ts'
import type { RedisStats } from '../watch/stats.ts'
import { Backplane, type Change } from './backplane.ts'
import { claimAll, readAll } from './claim-all.ts'
import { HeardParts } from './heard-parts.ts'
import { RedisLease, type Lease, type LeaseHost } from './lease.ts'
import { RedisMember } from './member.ts'
import { Wait } from './wait.ts'

/** Waiters look again this many ms after the lease should have ended, plus up to JITTER more at random. */
const AFTER_LEASE = 5
const JITTER = 40
/** If a holder may stand in line, waiters look after this many times the rest of its lease: they are told if it is gone. */
const PATIENCE = 12
/** How many lost processes are remembered. */
const LOST = 100
/** A lease is extended for the first time after this share of its time. */
const EXTEND_AFTER = 1 / 3
/** ms between looks while no messages can come, because the inbox is not open. */
const POLL = 100

export interface RedisTierHooks {
  /** Something failed, but every caller still gets its answer. */
  report(error: unknown): void
  /** Another process has changed entries. */
  onChange(change: Change): void
  /** With tracking: the entries for keys of these readable forms have changed in Redis. */
  onTracked(forms: readonly string[]): void
  /** With tracking: any entry may have changed. */
  onTrackedAll(): void
  /** Messages about changes no longer arrive. */
  onSyncLost(): void
  /** Messages about changes arrive from now on. `isFirst`: for the first time. */
  onSync(isFirst: boolean): void
  /** Messages about changes of these parts of the keys arrive from now on. */
  onHears(parts: readonly string[]): void
}

/**
 * What one cache shares with other processes through Redis: entries, leases, waiting, changes. With several instances, for a
 * migration, the lease is taken in all of them, in order. A value is read only if all agree on it. Every write goes to all.
 */
export class RedisTier {
  readonly #clock: Clock
  readonly #random: Random
  readonly #hooks: RedisTierHooks
  readonly #members: readonly RedisMember[]
  readonly #locker: Locker
  readonly #leases: LeaseHost
  /** When waits for other processes look. */
  readonly #waits: Agenda
  readonly #backplane: Backplane
  readonly #lockTtl: number
  /** The slots of each instance, if loads are limited. */
  readonly slotLines: readonly SlotLine[]
  readonly #describe: (key: string) => ClaimMessage
  /** Distinguishes the holders of leases. */
  readonly #inboxId: string
  /** If loads are limited: inbox of a process → interrupts for those that wait for it. */
  readonly #waitsByInbox = new Map<string, Set<() => void>>()
  /** Inboxes of the last processes that were reported gone. Whatever they stood in line for never comes. */
  readonly #lost = new Set<string>()
  /** The parts of the keys to which it listens, if not to all. */
  readonly #parts: HeardParts
  /** Whether every inbox receives messages. */
  #isSynced = false
  #wasEverSynced = false

  constructor(options: ResolvedOptions, clock: Clock, random: Random, hooks: RedisTierHooks) {
    this.#clock = clock
    this.#random = random
    this.#hooks = hooks
    this.#lockTtl = options.lockTtl
    this.#describe = (key) => ({ cache: options.name, key: options.redactKey(withoutVersion(key)) })
    const backplane = new Backplane(options.prefix, random, options.redis.length > 1)
    const inboxId = random.token()
    this.#inboxId = inboxId
    this.#backplane = backplane
    this.#members = options.redis.map(
      (client, index) =>
        new RedisMember(
          client,
          options,
          backplane,
          inboxId,
          { clock, random },
          {
            report: hooks.report,
            onBackplane: (message, series) => this.#heard(index, message, series),
            onHears: (parts) => this.#parts.noteHeard(this.#members[index] as RedisMember, parts),
            onSync: (state) => this.#noteSync(index, state),
            onTracked: (forms) => (forms === undefined ? hooks.onTrackedAll() : hooks.onTracked(forms)),
          },
        ),
    )
    this.#parts = new HeardParts(this.#members, hooks.onHears)
    this.slotLines = this.#members.flatMap(({ slots }) => slots ?? [])
    const instances = this.#members.map(({ instance }) => instance)
    this.#locker = new Locker({ clients: [] }, { clock, random, instances })
    this.#leases = this.#leaseHost()
    this.#waits = new Agenda(clock)
  }

  #leaseHost(): LeaseHost {
    const ttl = this.#lockTtl
    const { store } = this.#members[0] as RedisMember
    return {
      members: this.#members,
      clock: this.#clock,
      ttl,
      running: new Set(),
      firstExtensions: new Deadlines(this.#clock, ttl * EXTEND_AFTER),
      lockOf: (key, token, takenAt) => this.#locker.adopt({ key: store.leaseKey(key), token, ttl, takenAt }),
      onOvertaken: (key) => void this.remove(key).catch(() => {}), // if Redis fails, that is reported already
    }
  }

  /** A message on the backplane of one member. */
  #heard(index: number, message: Buffer, series: string): void {
    const { number, changes, lost, call } = this.#backplane.read(message)
    if (number !== undefined && !(this.#members[index] as RedisMember).isNext(series, number)) this.#noteLoss()
    if (lost !== undefined) this.#interruptWaitsFor(lost)
    if (call !== undefined) (this.#members[index] as RedisMember).fleet.heard(call)
    for (const { change, isEverywhere } of changes) {
      this.#hooks.onChange(change)
      if (change.kind === 'all') this.#interruptWaits()
      if (!isEverywhere && this.#members.length > 1) void this.#passOn(change, index)
    }
  }

  /** A missing message is as bad as an interruption: nobody knows what it said. */
  #noteLoss(): void {
    if (!this.#isSynced) return
    this.#hooks.onSync(false)
    this.#interruptWaits()
  }

  /** The process that made this change knows only one of our instances. So the old value must go in the others, too. */
  async #passOn(change: Change, from: number): Promise<void> {
    const others = this.#members.filter((_, index) => index !== from)
    await Promise.all(others.map((member) => member.attempt(({ overwrites }) => this.#undo(change, overwrites))))
  }

  #undo(change: Change, overwrites: Overwrites): Promise<void> {
    const announced = this.#backplane.announce(change)
    const { message } = announced
    switch (change.kind) {
      case 'key':
        return overwrites.remove(change.key, announced)
      case 'expired-key':
        return overwrites.expire(change.key, announced)
      case 'tag':
        return overwrites.invalidateTags([{ name: change.tag, message }], announced)
      case 'expired-tag':
        return overwrites.expireTags([{ name: change.tag, message }], change.over, announced)
      case 'all':
        return overwrites.removeAll(change.path, announced)
    }
  }

  /** From now on, an inbox receives messages or does not. `again`: some may have been missed. */
  #noteSync(index: number, state: 'lost' | 'first' | 'again'): void {
    this.#members[index]?.forgetNumbers()
    const wasSynced = this.#isSynced
    this.#isSynced = this.#members.every(({ inbox }) => inbox.ready)
    if (!this.#isSynced) {
      if (wasSynced) this.#hooks.onSyncLost()
    } else if (!wasSynced || state === 'again') {
      this.#hooks.onSync(!this.#wasEverSynced)
      this.#wasEverSynced = true
    }
  }

  /** Listens to changes of this part of the keys. `onHears` reports from when on. */
  hear(part: string): void {
    this.#parts.hear(part)
  }

  leave(part: string): void {
    this.#parts.leave(part)
  }

  readonly makeToken = (): string => this.#locker.createToken()

  /**
   * One round trip to each member: the fresh value, the lease, or a place among the waiters. A slot comes with the lease
   * only if that takes no further command. Never rejects.
   */
  claim<V>(key: string, codec: Codec<V>, terms: ClaimTerms): Promise<Claim<V>> {
    if (!claimChannel.hasSubscribers) return this.#claim(key, codec, terms)
    const message = this.#describe(key)
    return traced(claimChannel, message, async () => {
      const claim = await this.#claim(key, codec, terms)
      message.state = claim.state
      return claim
    })
  }

  #claim<V>(key: string, codec: Codec<V>, terms: ClaimTerms): Promise<Claim<V>> {
    this.#listen()
    if (this.#members.length > 1) return claimAll(this.#members, key, this.makeToken(), this.#lockTtl, codec, terms)
    const { store } = this.#members[0] as RedisMember
    return store.claim(key, this.makeToken, this.#lockTtl, codec, terms)
  }

  /** For watching this cache in all processes. With several members, the first is used. */
  get fleet(): FleetLine {
    return (this.#members[0] as RedisMember).fleet
  }

  /** Whether a claim takes one round trip to one Redis. */
  get isSingle(): boolean {
    return this.#members.length === 1
  }

  /** A plain claim. `claimant` gets its outcome, or a promise if more has to be asked. Only for a single Redis. */
  claimFor<V>(claimant: Claiming<V>, key: string, codec: Codec<V>): void {
    this.#listen()
    ;(this.#members[0] as RedisMember).store.claimFor(claimant, key, this.makeToken, this.#lockTtl, codec, {})
  }

  stats(): RedisStats[] {
    return this.#members.map((member) => member.stats())
  }

  /** Opens the inboxes at the first use of Redis. That use does not wait for them. */
  #listen(): void {
    for (const { inbox } of this.#members) if (!inbox.ready) inbox.open().catch(() => {})
  }

  /** Whether plain reads are worth trying before a claim. */
  get expectsHits(): boolean {
    return this.#members.length === 1 && (this.#members[0] as RedisMember).store.expectsHits
  }

  /** The key in Redis of the value of `key`. */
  valueKey(key: string): string {
    return (this.#members[0] as RedisMember).store.valueKey(key)
  }

  /** A plain read: the entry, if it is fresh and can be used without another question. */
  look<V>(read: PlainRead<V>): Promise<V> {
    return (this.#members[0] as RedisMember).store.look(read)
  }

  /** Makes all plain reads under way find nothing. */
  endLooks(error: ClosedError): void {
    for (const { store } of this.#members) store.endLooks(error)
  }

  newWait<V>(): Wait<V> {
    return new Wait(this.#clock, this.#random, this.#waits)
  }

  /**
   * Waits for the holder of the lease that `claim` found. Resolves with its notice, or with `undefined` when it is time to
   * claim again: after `ms` at the latest, and whenever a notice may have been missed. `isPatient`: the holder may stand in
   * line. If its process is gone, the slots show it, and every process is told.
   */
  waitFor<V>(
    wait: Wait<V>,
    key: string,
    codec: Codec<V>,
    claim: Busy<V>,
    ms: number,
    isPatient: boolean,
  ): Promise<Notice<V> | undefined> {
    const inbox = inboxOf(claim.holder) ?? ''
    // If not registered, the inbox was not open yet. When it opens, it is reset, and that interrupts this wait.
    const leaseEndsIn = claim.leaseEndsIn * (isPatient && !this.#lost.has(inbox) ? PATIENCE : 1)
    const untilNextLook = claim.registered ? leaseEndsIn + AFTER_LEASE : Math.min(claim.leaseEndsIn, POLL)
    return wait.begin(untilNextLook + JITTER * this.#random.uniform(), ms, ({ deliver, interrupt }) => {
      // The failure of a load of this process is no answer to who comes after its end: that one loads anew.
      const isOver = inbox === this.#inboxId && !this.#leases.running.has(claim.holder)
      const hear = (notice: Notice<V>): void => deliver(isOver && notice.kind === 'failed' ? LOOK : notice)
      const stops = this.#members.map(({ store }) => store.listen(key, codec, claim, hear, interrupt))
      if (this.slotLines.length > 0) stops.push(this.#noteWait(inbox, interrupt))
      return stops
    })
  }

  #noteWait(inbox: string, interrupt: () => void): () => void {
    const waits = this.#waitsByInbox.get(inbox) ?? new Set()
    this.#waitsByInbox.set(inbox, waits.add(interrupt))
    const stops = this.slotLines.map((line) => line.watch())
    return () => {
      for (const stop of stops) stop()
      waits.delete(interrupt)
      if (waits.size === 0 && this.#waitsByInbox.get(inbox) === waits) this.#waitsByInbox.delete(inbox)
    }
  }

  /**
   * The lease that a claim has taken, kept alive until it is ended. `isChange`: what is stored with it replaces a value that
   * others may still keep in memory, so they are told.
   */
  lease(key: string, possessions: readonly Possession[], isChange: boolean): Lease {
    const change = isChange ? this.#backplane.announce({ kind: 'key', key }) : undefined
    return new RedisLease(this.#leases, key, possessions, change)
  }

  /** The run of a stream under that token. With several members, all runs are in the first. */
  streamLog(key: string, token: string): StreamLog {
    return (this.#members[0] as RedisMember).streamLog(key, token)
  }

  /**
   * Whether one of the tags has changed since `since`, in µs on Redis's clock. `undefined` if Redis cannot be asked. Never
   * rejects.
   */
  areTagsChangedSince(forms: readonly string[], since: number): Promise<boolean | undefined> {
    const [first] = this.#members as [RedisMember]
    return first.attempt((store) => store.areTagsChangedSince(forms, since))
  }

  /** Reports a failure of a stream's Redis, but not too often. */
  reportOfStream(error: unknown): void {
    ;(this.#members[0] as RedisMember).report(error)
  }

  /** The stored entry, fresh or stale. With several members, only if all have the same. */
  async read<V>(key: string, codec: Codec<V>): Promise<ReadEntry<V> | undefined> {
    this.#listen()
    return readAll(this.#members, key, codec)
  }

  write(key: string, payload: Encoded, storing: Storing): Promise<void> {
    return this.#onAll((overwrites) =>
      overwrites.write(key, payload, storing, this.#backplane.announce({ kind: 'key', key })),
    )
  }

  remove(key: string): Promise<void> {
    return this.#onAll((overwrites) => overwrites.remove(key, this.#backplane.announce({ kind: 'key', key })))
  }

  expire(key: string): Promise<void> {
    return this.#onAll((overwrites) => overwrites.expire(key, this.#backplane.announce({ kind: 'expired-key', key })))
  }

  /** Removes everything in the namespace of that path. */
  async removeAll(path: string): Promise<void> {
    await this.#onAll((overwrites) => overwrites.removeAll(path, this.#backplane.announce({ kind: 'all', path })))
    this.#interruptWaits()
  }

  /** Flights that wait for a load of that process, begun or not, look for themselves. */
  #interruptWaitsFor(inbox: string): void {
    const [oldest] = this.#lost
    if (this.#lost.size >= LOST && oldest !== undefined) this.#lost.delete(oldest)
    this.#lost.add(inbox)
    for (const interrupt of this.#waitsByInbox.get(inbox) ?? []) interrupt()
  }

  /** The leases that flights waited for may be gone, so that nobody would tell of their end. */
  #interruptWaits(): void {
    for (const { inboxes } of this.#members) inboxes.interrupt()
  }

  invalidateTags(tags: readonly string[]): Promise<void> {
    const announced = tags.map((tag) => this.#announced(tag, { kind: 'tag', tag }))
    return this.#onAll((overwrites) => overwrites.invalidateTags(announced, this.#backplane))
  }

  expireTags(tags: readonly string[], over: number): Promise<void> {
    const announced = tags.map((tag) => this.#announced(tag, { kind: 'expired-tag', tag, over }))
    return this.#onAll((overwrites) => overwrites.expireTags(announced, over, this.#backplane))
  }

  #announced(name: string, change: Change): AnnouncedTag {
    return { name, message: this.#backplane.announce(change).message }
  }

  /** The entry that a reader would get, and the lease, which every member has if any has it. Rejects with Redis's error. */
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

  /** Leases are taken in the order of members, so the first member has them all. Rejects with Redis's error. */
  async leases(previous: Listing<HeldLease> | undefined, expected: Iterable<string>): Promise<LeaseListing> {
    const { breaker, inspector } = this.#members[0] as RedisMember
    const listing = await breaker.run(() => inspector.leases(previous, expected))
    return { ...listing, items: listing.items.map((lease) => this.#ownOrNot(lease)) }
  }

  #ownOrNot(lease: HeldLease): CacheLease {
    return { ...lease, own: lease.holder === this.#inboxId }
  }

  async close(): Promise<void> {
    for (const { inboxes } of this.#members) inboxes.close()
    this.#leases.firstExtensions.close()
    await this.#locker.close()
  }

  /** Tries every member. Rejects with the first error if any failed. */
  async #onAll(operation: (overwrites: Overwrites) => Promise<void>): Promise<void> {
    this.#listen()
    const runs = this.#members.map((member) => member.run(({ overwrites }) => operation(overwrites)))
    const results = await Promise.allSettled(runs)
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
}
