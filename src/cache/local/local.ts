import { LRUCache } from 'lru-cache'
import type { Clock } from '../../clock.ts'
import type { Flights } from '../../flight/flights.ts'
import { isWithin, pathsAround } from '../../full-key.ts'
import { original, readable } from '../../redis/entry-keys.ts'
import { spread } from '../../redis/spread.ts'
import type { Life } from '../../store/entry.ts'
import type { RemoteFailure } from '../../store/notice.ts'
import { BackOff } from './back-off.ts'
import { Changes } from './changes.ts'
import type { Isolated } from './isolation.ts'
import { Memory } from './memory.ts'
import type { MemoryEntry } from './memory-entry.ts'

/** Keys of unshareable results that are remembered. */
const PASSES_KEPT = 10_000
/** Keys of failures that are remembered. */
const FAILURES_KEPT = 10_000

/** Reads of Redis that are under way, seen as something that a change makes useless. */
interface Looks {
  revoke(key: string): void
  revokeWithin(path: string): void
  revokeAll(): void
}

/** Whether messages about changes arrive. `until` bounds the trust in what memory kept before they stopped. */
export interface Sync {
  until: number
}

/**
 * The one owner of what this process knows of its keys: entries in memory, failures, flights, looks, passes, back-off, and
 * `set`s under way. Whatever changes a key, here or elsewhere, goes through one of `forget`, `forgetTagged`, `forgetWithin`,
 * `forgetAll` and `outdateAll`. Keys and tags are full ones. After it nobody is answered from, joins, or keeps what was
 * asked for before. `expire` and `expireTagged` do the same, but that what memory has may still be served as stale.
 */
export class Local {
  /** L1, unless it is switched off. */
  readonly memory: Memory | undefined
  readonly flights: Flights
  /** Keys whose stale value is to be served for a while without another attempt to refill it. */
  readonly backOff: BackOff = new BackOff()
  readonly sync: Sync
  readonly #clock: Clock
  readonly #changes = new Changes()
  /** Key → the `set` under way that began last and that no other change has followed. */
  readonly #sets = new Map<string, PendingSet>()
  /** Key → end of the time in which its results count as unshareable. */
  readonly #passes = new LRUCache<string, { readonly until: number }>({ max: PASSES_KEPT })
  /** ms for which memory is trusted while nobody tells of changes. */
  readonly #unsyncedTtl: number
  #isSynced: boolean
  /** The number of the change at which messages about changes began to arrive. */
  #syncedSince = 0
  /** With tracking, keys are told of in the form in which they stand in Redis. */
  readonly #isTracking: boolean
  #looks: Looks | undefined
  /** Failures that are remembered, kept as values are. Made at the first. */
  #failures: Memory | undefined

  /** `isAlone`: no other process takes part, so that there is nothing to be told of. */
  constructor(
    memory: Memory | undefined,
    flights: Flights,
    clock: Clock,
    { unsyncedTtl, isAlone, isTracking }: { unsyncedTtl: number; isAlone: boolean; isTracking: boolean },
  ) {
    this.memory = memory
    this.flights = flights
    this.#clock = clock
    this.#unsyncedTtl = unsyncedTtl
    this.#isSynced = isAlone
    this.#isTracking = isTracking
    this.sync = { until: isAlone ? Infinity : -Infinity }
  }

  /** Looks are made by whoever reads; they are told of changes from here. */
  watchOver(looks: Looks): void {
    this.#looks = looks
  }

  /** To be noted by whoever asks for something, before it is asked, and handed to `keep` with what comes. */
  get now(): number {
    return this.#changes.now
  }

  /** Whether memory may answer with the entry at `now`: it is fresh, within memory's own ttl, and changes are told. */
  isFresh(entry: MemoryEntry, now: number): boolean {
    return now < entry.freshUntil && now < entry.memoryUntil && this.isTrusted(entry, now)
  }

  isTrusted({ unsyncedUntil }: MemoryEntry, now: number): boolean {
    return now < (unsyncedUntil === Infinity ? this.sync.until : unsyncedUntil)
  }

  /**
   * Keeps what was asked for at `since`, unless it may be older than a change. What was asked for while nobody told of
   * changes is trusted for a moment only.
   */
  keep<V>(since: number, key: string, life: Life, isolated: Isolated<V>): MemoryEntry<V> | undefined {
    if (!this.#changes.noneMissedSince(since)) return undefined
    const isSynced = this.#isSynced && since >= this.#syncedSince
    return this.#put(this.memory, since, key, life, isolated, isSynced)
  }

  /**
   * Keeps for long what was loaded under a lease, asked for at `since`, and was accepted by Redis. Where it was sent, at
   * `sentAt`, while changes were told, and none can have been missed until now, that says that none has been missed since
   * the load began. `kept` is what is kept of it for a moment, if anything is.
   */
  keepCommitted<V>(
    { since, sentAt, kept }: { since: number; sentAt: number; kept: MemoryEntry<V> | undefined },
    key: string,
    life: Life,
    isolated: Isolated<V>,
  ): void {
    if (kept !== undefined && kept.unsyncedUntil === Infinity) return
    if (!this.#isSynced || sentAt < this.#syncedSince || !this.#changes.noneMissedSince(sentAt)) return
    this.#put(this.memory, since, key, life, isolated, true)
  }

  /** Takes an entry out of memory again if it is still there. */
  drop(key: string, entry: MemoryEntry | undefined): void {
    if (entry === undefined) return
    for (const memory of this.#memories) if (memory.peek(key) === entry) memory.delete(key)
  }

  /**
   * Keeps the failure of a load that was asked for at `since`, as `keep` does a value: until `until` callers are told of it.
   * Without memory only Redis remembers.
   */
  keepFailure(
    since: number,
    key: string,
    failure: RemoteFailure,
    { until, tags }: { until: number; tags: readonly string[] },
  ): MemoryEntry | undefined {
    if (this.memory === undefined || !this.#changes.noneMissedSince(since)) return undefined
    this.#failures ??= new Memory({ maxEntries: FAILURES_KEPT }, 0)
    const isSynced = this.#isSynced && since >= this.#syncedSince
    const life = { freshUntil: until, staleUntil: until, errorUntil: until, loadTime: 0, tags }
    return this.#put(this.#failures, since, key, life, { value: failure, copy: undefined, size: () => 0 }, isSynced)
  }

  /** The failure of which callers of the key are to be told. */
  failureOf(key: string): MemoryEntry<RemoteFailure> | undefined {
    const entry = this.#failures?.peek<RemoteFailure>(key)
    return entry !== undefined && this.isFresh(entry, this.#clock.now()) ? entry : undefined
  }

  /** There is a new value, loaded by whoever asked at `since`. */
  endSetbacks(since: number, key: string): void {
    if (!this.#isUnchanged(since, key, [])) return
    this.backOff.forget(key)
    this.#failures?.delete(key)
  }

  get #memories(): Memory[] {
    return [this.memory, this.#failures].filter((memory) => memory !== undefined)
  }

  #put<V>(
    memory: Memory | undefined,
    since: number,
    key: string,
    life: Life,
    isolated: Isolated<V>,
    isSynced: boolean,
  ): MemoryEntry<V> | undefined {
    const now = this.#clock.now()
    const isUseful = now < Math.max(life.freshUntil, life.staleUntil, life.errorUntil)
    if (memory === undefined || !isUseful || !this.#isUnchanged(since, key, life.tags)) return undefined
    const unsyncedUntil = isSynced ? Infinity : now + this.#unsyncedTtl
    return memory.put(key, this.#withNameOfLong(key, life), isolated, now, unsyncedUntil)
  }

  /** Whether no change of an entry of the key with these tags has been heard of since it was asked for at `since`. */
  #isUnchanged(since: number, key: string, tags: readonly string[]): boolean {
    const changes = this.#changes
    return changes.noneSince(since, this.#nameOf(key), tags) && changes.noneOfPathsSince(since, pathsAround(key))
  }

  /** A `set` begins: nobody is answered from what was before. */
  beginSet(key: string): PendingSet {
    this.forget(key)
    const pending = { key, since: this.#changes.now }
    this.#sets.set(key, pending)
    return pending
  }

  /**
   * It is answered, or has failed and may have been carried out all the same: what was read meanwhile goes. Where it
   * succeeded memory keeps its value, unless the key was changed meanwhile, here or elsewhere, in an order that only
   * Redis knows.
   */
  endSet<V>(pending: PendingSet, stored: { life: Life; isolated: Isolated<V> } | undefined): void {
    const { key, since } = pending
    const isLast = this.#sets.get(key) === pending
    if (isLast) this.#sets.delete(key)
    this.endChange(key)
    if (stored === undefined || !isLast || !this.#changes.noneOfTagsSince(since, stored.life.tags)) return
    const isSynced = this.#isSynced && since >= this.#syncedSince
    this.#put(this.memory, this.#changes.now, key, stored.life, stored.isolated, isSynced)
  }

  /** Callers that come from now on find nothing and join nothing that began before. */
  forget(key: string): void {
    this.#sets.delete(key)
    this.endChange(key)
  }

  /** A change that began here is answered. A `set` that began after it has not been reached by it. */
  endChange(key: string): void {
    for (const memory of this.#memories) memory.delete(key)
    this.#changed(key)
  }

  /** What callers find from now on is stale at best, and they join nothing that began before. */
  expire(key: string): void {
    this.#sets.delete(key)
    this.endExpiry(key)
  }

  /** An expiry that began here is answered. */
  endExpiry(key: string): void {
    const now = this.#clock.coarseNow() // by which hits are judged
    for (const memory of this.#memories) memory.expire(key, now, now)
    this.#changed(key)
  }

  /** A load begins that everybody is to have: what was asked for, or set, before is not kept any more. */
  overtake(key: string): void {
    this.#sets.delete(key)
    this.#changes.ofKey(this.#nameOf(key))
  }

  #changed(key: string): void {
    this.#changes.ofKey(this.#nameOf(key))
    this.#passes.delete(key)
    this.backOff.forget(key)
    this.flights.close(key)
    this.#looks?.revoke(key)
  }

  /** Somebody has changed what stands in Redis for a key of that readable form. */
  forgetForm(form: string): void {
    const { key, shortened } = original(form)
    if (!shortened) return this.forget(key)
    // Of a long key only this form is known here.
    this.#changes.ofKey(form)
    for (const memory of this.#memories) memory.deleteTagged(LONG + form)
    this.flights.closeAll()
    this.#looks?.revokeAll()
  }

  /** Of what is under way the tags are not known: nobody joins it any more. It is kept unless it turns out to have the tag. */
  forgetTagged(tag: string): void {
    const name = readable(tag)
    this.#changes.ofTag(name)
    for (const memory of this.#memories) memory.deleteTagged(name)
    this.flights.closeAll()
  }

  /** The same, but that what has the tag is stale, at once or each at a moment of its own within `over` ms. */
  expireTagged(tag: string, over: number): void {
    const name = readable(tag)
    const now = this.#clock.coarseNow()
    this.#changes.ofTag(name)
    for (const memory of this.#memories) memory.expireTagged(name, (key) => now + spread(readable(key), over), now)
    this.backOff.clear() // which keys have the tag is known of those in memory only
    this.flights.closeAll()
  }

  /** Everything in the namespace of that path. */
  forgetWithin(path: string): void {
    this.#changes.ofPath(path)
    for (const key of this.#sets.keys()) if (isWithin(key, path)) this.#sets.delete(key)
    for (const memory of this.#memories) memory.deleteWithin(path)
    for (const key of this.#passes.keys()) if (isWithin(key, path)) this.#passes.delete(key)
    this.backOff.forgetWithin(path)
    this.flights.closeWithin(path)
    this.#looks?.revokeWithin(path)
  }

  forgetAll(): void {
    this.#changes.ofAll()
    this.#sets.clear()
    for (const memory of this.#memories) memory.clear()
    this.#passes.clear()
    this.backOff.clear()
    this.flights.closeAll()
    this.#looks?.revokeAll()
  }

  /** Changes may have been missed: what was read before is neither kept nor joined. */
  outdateAll(): void {
    this.#changes.gap()
    this.#sets.clear()
    for (const memory of this.#memories) memory.clear()
    this.flights.closeAll()
    this.#looks?.revokeAll()
  }

  /** Changes are not told any more: what memory has is trusted for a moment only. */
  loseSync(): void {
    if (this.#isSynced) this.sync.until = this.#clock.now() + this.#unsyncedTtl
    this.#isSynced = false
  }

  /**
   * Changes are told from now on. The first time memory has nothing that it trusts for long, and keeps that. Later some may
   * have been missed.
   */
  gainSync(isFirst: boolean): void {
    if (isFirst) this.flights.closeAll()
    else this.outdateAll()
    this.#syncedSince = this.#changes.mark()
    this.#isSynced = true
    this.sync.until = Infinity
  }

  /** Until `until` callers of the key load for themselves: its results are not shareable. */
  pass(key: string, until: number): void {
    this.#passes.set(key, { until })
  }

  /** End of that time, 0 where there is none. */
  passesUntil(key: string): number {
    return this.#passes.peek(key)?.until ?? 0
  }

  /** By what changes of the key are noted. */
  #nameOf(key: string): string {
    return this.#isTracking ? readable(key) : key
  }

  #withNameOfLong(key: string, life: Life): Life {
    if (!this.#isTracking) return life
    const form = readable(key)
    return original(form).shortened ? { ...life, tags: [...life.tags, LONG + form] } : life
  }
}

/** Begins the name under which memory finds an entry by the form of its long key. No tag begins so. */
const LONG = '{'

/** A `set` under way, and the number of the change that it is. */
export interface PendingSet {
  readonly key: string
  readonly since: number
}
