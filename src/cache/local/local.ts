import { LRUCache } from 'lru-cache'
import type { Clock } from '../../clock.ts'
import type { Flights } from '../../flight/flights.ts'
import { isWithin, pathsAround } from '../../full-key.ts'
import { original, readable } from '../../redis/entry-keys.ts'
import { spread } from '../../redis/spread.ts'
import type { Life } from '../../store/entry.ts'
import { partOf } from '../../store/key-part.ts'
import type { RemoteFailure } from '../../store/notice.ts'
import { BackOff } from './back-off.ts'
import { Changes } from './changes.ts'
import type { Interest } from './interest.ts'
import type { Isolated } from './isolation.ts'
import { Memory } from './memory.ts'
import type { MemoryEntry } from './memory-entry.ts'

/** Keys of unshareable results that are remembered. */
const PASSES_KEPT = 10_000
/** Keys of failures that are remembered. */
const FAILURES_KEPT = 10_000

/** Reads of Redis under way, which a change makes useless. */
interface Looks {
  revoke(key: string): void
  revokeWithin(path: string): void
  revokeAll(): void
}

/** Whether messages about changes arrive. `until` limits the trust in entries from before they stopped. */
export interface Sync {
  until: number
}

/**
 * The only owner of what this process knows about its keys: entries in memory, failures, flights, looks, passes,
 * back-off, and `set`s under way. Every change of a key, here or elsewhere, calls `forget`, `forgetTagged`,
 * `forgetWithin`, `forgetAll` or `outdateAll`. Keys and tags are full ones. After that, nobody gets, joins or keeps
 * results that were requested before. `expire` and `expireTagged` do the same, but memory may still serve its entries as
 * stale.
 */
export class Local {
  /** L1, unless it is switched off. */
  readonly memory: Memory | undefined
  readonly flights: Flights
  /** Keys whose stale value is served for a while without another attempt to refill it. */
  readonly backOff: BackOff = new BackOff()
  readonly sync: Sync
  readonly #clock: Clock
  readonly #changes = new Changes()
  /** Key → the latest `set` under way that no other change has followed. */
  readonly #sets = new Map<string, PendingSet>()
  /** Key → the time until which its results count as unshareable. */
  readonly #passes = new LRUCache<string, { readonly until: number }>({ max: PASSES_KEPT })
  /** ms for which memory is trusted while changes are not announced. */
  readonly #unsyncedTtl: number
  #isSynced: boolean
  /** The number of the change since which messages about changes arrive. */
  #syncedSince = 0
  /** With tracking, messages name keys in their form in Redis. */
  readonly #isTracking: boolean
  /** Set if this process hears only of keys that it holds. */
  readonly #interest: Interest | undefined
  #looks: Looks | undefined
  /** Remembered failures, kept like values. Created at the first failure. */
  #failures: Memory | undefined

  /** Of those who hand out values before they are whole. */
  readonly #tagListeners = new Set<() => void>()

  /** `isAlone`: no other process takes part, so there are no messages. */
  constructor(
    memory: Memory | undefined,
    flights: Flights,
    clock: Clock,
    { unsyncedTtl, isAlone, isTracking }: { unsyncedTtl: number; isAlone: boolean; isTracking: boolean },
    interest?: Interest,
  ) {
    this.#interest = interest
    this.memory = memory
    this.flights = flights
    this.#clock = clock
    this.#unsyncedTtl = unsyncedTtl
    this.#isSynced = isAlone
    this.#isTracking = isTracking
    this.sync = { until: isAlone ? Infinity : -Infinity }
  }

  /** Whether a change of these tags has been heard of since the change number `since`; `undefined`: it may have been missed. */
  areTagsChanged(since: number, tags: readonly string[]): boolean | undefined {
    if (!this.#changes.noneOfTagsSince(since, tags)) return true
    return tags.length === 0 || this.#changes.noneMissedSince(since) ? false : undefined
  }

  /** Whether no change of an entry of that key with these tags has been heard of, or may have been missed, since then. */
  isUnchanged(since: number, key: string, tags: readonly string[]): boolean {
    return this.#changes.noneMissedSince(since) && this.#noneHeardSince(since, key, tags)
  }

  /** Calls back when tags have changed, or may have, until the returned function is called. */
  whenTagsChange(listener: () => void): () => void {
    this.#tagListeners.add(listener)
    return () => void this.#tagListeners.delete(listener)
  }

  #tellOfTags(): void {
    for (const listener of this.#tagListeners) listener()
  }

  /** Readers make looks. Changes are reported to them from here. */
  watchOver(looks: Looks): void {
    this.#looks = looks
  }

  /** A request notes this number before it is sent, and passes it to `keep` with its result. */
  get now(): number {
    return this.#changes.now
  }

  /** Whether memory may answer with the entry at `now`: it is fresh, within memory's own ttl, and changes are announced. */
  isFresh(entry: MemoryEntry, now: number): boolean {
    return now < entry.freshUntil && now < entry.memoryUntil && this.isTrusted(entry, now)
  }

  isTrusted({ unsyncedUntil }: MemoryEntry, now: number): boolean {
    return now < (unsyncedUntil === Infinity ? this.sync.until : unsyncedUntil)
  }

  /**
   * Keeps a result that was requested at `since`, unless it may be older than a change. A result requested while changes
   * were not announced is trusted only for a moment.
   */
  keep<V>(since: number, key: string, life: Life, isolated: Isolated<V>): MemoryEntry<V> | undefined {
    if (!this.#changes.noneMissedSince(since)) return undefined
    return this.#put(this.memory, since, key, life, isolated, since >= this.#heardSince(key))
  }

  /** The number of the change since which messages about changes of the key arrive; Infinity while they do not. */
  #heardSince(key: string): number {
    if (!this.#isSynced) return Infinity
    return this.#interest === undefined
      ? this.#syncedSince
      : Math.max(this.#syncedSince, this.#interest.heardSince(key))
  }

  /**
   * From now on messages about changes of these parts of the keys arrive. As when they arrive for the first time, memory has
   * only entries of these parts that it trusts for a moment, and nobody joins what began before.
   */
  noteHeard(parts: readonly string[]): void {
    const first = this.#interest?.noteHeard(parts, this.#changes.mark())
    if (first !== undefined && first.size > 0) this.flights.closeIf((key) => first.has(partOf(key)))
  }

  /**
   * Keeps a value for its whole ttl that was loaded under a lease, requested at `since`, and accepted by Redis. If it was
   * sent at `sentAt` while changes were announced, and none can have been missed until now, then none has been missed
   * since the load began. `kept` is the entry that is already kept for a moment, if there is one.
   */
  keepCommitted<V>(
    { since, sentAt, kept }: { since: number; sentAt: number; kept: MemoryEntry<V> | undefined },
    key: string,
    life: Life,
    isolated: Isolated<V>,
  ): void {
    if (kept !== undefined && kept.unsyncedUntil === Infinity) return
    if (sentAt < this.#heardSince(key) || !this.#changes.noneMissedSince(sentAt)) return
    this.#put(this.memory, since, key, life, isolated, true)
  }

  /** Removes an entry from memory again if it is still there. */
  drop(key: string, entry: MemoryEntry | undefined): void {
    if (entry === undefined) return
    for (const memory of this.#memories) if (memory.peek(key) === entry) memory.delete(key)
  }

  /**
   * Keeps the failure of a load that was requested at `since`, as `keep` keeps a value. Until `until` callers get it.
   * Without memory only Redis remembers it.
   */
  keepFailure(
    since: number,
    key: string,
    failure: RemoteFailure,
    { until, tags }: { until: number; tags: readonly string[] },
  ): MemoryEntry | undefined {
    if (this.memory === undefined || !this.#changes.noneMissedSince(since)) return undefined
    this.#failures ??= new Memory({ maxEntries: FAILURES_KEPT }, 0, this.#interest)
    const isSynced = since >= this.#heardSince(key)
    const life = { freshUntil: until, staleUntil: until, errorUntil: until, loadTime: 0, tags }
    return this.#put(this.#failures, since, key, life, { value: failure, copy: undefined, size: () => 0 }, isSynced)
  }

  /** The failure that callers of the key get. */
  failureOf(key: string): MemoryEntry<RemoteFailure> | undefined {
    const entry = this.#failures?.peek<RemoteFailure>(key)
    return entry !== undefined && this.isFresh(entry, this.#clock.now()) ? entry : undefined
  }

  /** There is a new value, from a load that was requested at `since`. */
  endSetbacks(since: number, key: string): void {
    if (!this.#noneHeardSince(since, key, [])) return
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
    if (memory === undefined || !isUseful || !this.#noneHeardSince(since, key, life.tags)) return undefined
    const unsyncedUntil = isSynced ? Infinity : now + this.#unsyncedTtl
    return memory.put(key, this.#withNameOfLong(key, life), isolated, now, unsyncedUntil)
  }

  /** Whether this process has heard of no change of an entry of the key with these tags since `since`. */
  #noneHeardSince(since: number, key: string, tags: readonly string[]): boolean {
    const changes = this.#changes
    return changes.noneSince(since, this.#nameOf(key), tags) && changes.noneOfPathsSince(since, pathsAround(key))
  }

  /** A `set` begins: nobody gets earlier values any more. */
  beginSet(key: string): PendingSet {
    this.forget(key)
    const pending = { key, since: this.#changes.now }
    this.#sets.set(key, pending)
    return pending
  }

  /**
   * The `set` was answered, or has failed and may still have been carried out. Values that were read meanwhile are
   * dropped. If it succeeded, memory keeps its value, unless the key was changed meanwhile, here or elsewhere, in an
   * order that only Redis knows.
   */
  endSet<V>(pending: PendingSet, stored: { life: Life; isolated: Isolated<V> } | undefined): void {
    const { key, since } = pending
    const isLast = this.#sets.get(key) === pending
    if (isLast) this.#sets.delete(key)
    this.endChange(key)
    if (stored === undefined || !isLast || !this.#changes.noneOfTagsSince(since, stored.life.tags)) return
    const isSynced = since >= this.#heardSince(key)
    this.#put(this.memory, this.#changes.now, key, stored.life, stored.isolated, isSynced)
  }

  /** Later callers find nothing, and join nothing that began before. */
  forget(key: string): void {
    this.#sets.delete(key)
    this.endChange(key)
  }

  /** A change that began here was answered. It does not affect a `set` that began after it. */
  endChange(key: string): void {
    for (const memory of this.#memories) memory.delete(key)
    this.#changed(key)
  }

  /** Later callers find at most a stale value, and join nothing that began before. */
  expire(key: string): void {
    this.#sets.delete(key)
    this.endExpiry(key)
  }

  /** An expiry that began here was answered. */
  endExpiry(key: string): void {
    const now = this.#clock.coarseNow() // by which hits are judged
    for (const memory of this.#memories) memory.expire(key, now, now)
    this.#changed(key)
  }

  /** A load begins whose value everybody is to get: results requested before, and `set`s under way, are not kept any more. */
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

  /** Somebody has changed the value in Redis of a key of that readable form. */
  forgetForm(form: string): void {
    const { key, shortened } = original(form)
    if (!shortened) return this.forget(key)
    // For a long key only this form is known here.
    this.#changes.ofKey(form)
    for (const memory of this.#memories) memory.deleteTagged(LONG + form)
    this.flights.closeAll()
    this.#looks?.revokeAll()
  }

  /**
   * The tags of loads under way are unknown, so nobody joins them any more. Their results are kept unless they turn out
   * to have the tag.
   */
  forgetTagged(tag: string): void {
    const name = readable(tag)
    this.#changes.ofTag(name)
    for (const memory of this.#memories) memory.deleteTagged(name)
    this.flights.closeAll()
    this.#tellOfTags()
  }

  /** The same, but entries with the tag become stale, at once or each at its own moment within `over` ms. */
  expireTagged(tag: string, over: number): void {
    const name = readable(tag)
    const now = this.#clock.coarseNow()
    this.#changes.ofTag(name)
    for (const memory of this.#memories) memory.expireTagged(name, (key) => now + spread(readable(key), over), now)
    this.backOff.clear() // which keys have the tag is known of those in memory only
    this.flights.closeAll()
    this.#tellOfTags()
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

  /** Changes may have been missed: earlier reads are neither kept nor joined. */
  outdateAll(): void {
    this.#changes.gap()
    this.#sets.clear()
    for (const memory of this.#memories) memory.clear()
    this.flights.closeAll()
    this.#looks?.revokeAll()
    this.#tellOfTags()
  }

  /** Changes are no longer announced: memory is trusted only for a moment. */
  loseSync(): void {
    if (this.#isSynced) this.sync.until = this.#clock.now() + this.#unsyncedTtl
    this.#isSynced = false
  }

  /**
   * Changes are announced from now on. The first time, memory has only entries that it trusts for a moment, and keeps
   * them. Later, changes may have been missed.
   */
  gainSync(isFirst: boolean): void {
    if (isFirst) this.flights.closeAll()
    else this.outdateAll()
    this.#syncedSince = this.#changes.mark()
    this.#isSynced = true
    this.sync.until = Infinity
  }

  /** Until `until` callers of the key load for themselves, because its results are not shareable. */
  pass(key: string, until: number): void {
    this.#passes.set(key, { until })
  }

  /** The end of that time; 0 if there is none. */
  passesUntil(key: string): number {
    return this.#passes.peek(key)?.until ?? 0
  }

  /** The name under which changes of the key are recorded. */
  #nameOf(key: string): string {
    return this.#isTracking ? readable(key) : key
  }

  #withNameOfLong(key: string, life: Life): Life {
    if (!this.#isTracking) return life
    const form = readable(key)
    return original(form).shortened ? { ...life, tags: [...life.tags, LONG + form] } : life
  }
}

/** The prefix of the name under which memory finds an entry by the form of its long key. No tag has this prefix. */
const LONG = '{'

/** A `set` under way, and its change number. */
export interface PendingSet {
  readonly key: string
  readonly since: number
}
