import { throwIfAborted } from '../abort.ts'
import { checkArray, checkFunction, checkKey } from '../check.ts'
import type { Clock } from '../clock.ts'
import { ClosedError } from '../errors.ts'
import { Flights } from '../flight/flights.ts'
import type { Random } from '../random.ts'
import { entryKeys, readable } from '../redis/entry-keys.ts'
import { MemoryStore } from '../store/memory-store.ts'
import type { Change } from './shared/backplane.ts'
import { BackOff } from './local/back-off.ts'
import { Batch, type BatchLoader } from './refill/batch.ts'
import type { Cache, WrapOptions } from './cache.ts'
import type { CacheCore } from './core.ts'
import { Events, type CacheEvent, type CacheListener } from './watch/events.ts'
import { hitsFirst, peeksFirst } from './read/hit-path.ts'
import { Inspections } from './inspect.ts'
import type { CacheFlight, Inspection, LeaseListing } from './watch/inspection.ts'
import { instantsOf, storingOf } from './local/lifetime.ts'
import { aloneWith, type Brought } from './refill/load-alone.ts'
import type { Loader } from './refill/loader-context.ts'
import { isolate, Memory } from './local/memory.ts'
import { checkCallOptions, checkTags, settingsOf } from './options.ts'
import type { CallOptions, ResolvedOptions } from './options.ts'
import { shareOutcomes } from './watch/outcomes.ts'
import { isFresh, ReadPath } from './read/read-path.ts'
import { RedisTier } from './shared/tier.ts'
import { Reentrance } from './refill/reentrance.ts'
import type { CacheStats } from './watch/stats.ts'

const PASSES_KEPT = 10_000

export class RefillCache implements Cache {
  readonly name: string
  readonly getOrRefill: Cache['getOrRefill']
  readonly peek: Cache['peek']
  readonly #core: CacheCore
  readonly #clock: Clock
  readonly #memory: Memory | undefined
  readonly #events: Events
  readonly #closing = new AbortController()
  readonly #reads: ReadPath
  readonly #inspections: Inspections
  /** Key → the `set` under way that began last and that no other change has followed. */
  readonly #beingSet = new Map<string, object>()

  constructor(options: ResolvedOptions, clock: Clock, random: Random) {
    this.#clock = clock
    this.name = options.name
    this.#events = new Events(options.name, options.redactKey)
    this.#memory =
      options.memory === false
        ? undefined
        : new Memory(options.memory, options.beta, (key) => entryKeys(options.prefix, key).value)
    this.#core = {
      options,
      closing: this.#closing.signal,
      clock,
      random,
      events: this.#events,
      flights: new Flights(clock, <V>(key: string, brought: unknown) =>
        aloneWith(this.#core, key, brought as Brought<V>),
      ),
      reentrance: new Reentrance(),
      memory: this.#memory,
      backOff: new BackOff(),
      passes: new MemoryStore(PASSES_KEPT, undefined),
      redis:
        options.redis.length === 0
          ? undefined
          : new RedisTier(options, clock, random, {
              report: (error) => this.#events.report(error),
              onChange: (change) => this.#apply(change),
              onTracked: (valueKeys) => {
                for (const valueKey of valueKeys) this.#memory?.deleteTagged(valueKey)
              },
              onGap: () => {
                this.#memory?.clear()
                this.#beingSet.clear()
                this.#reads.outdateAll()
              },
            }),
    }
    this.#reads = new ReadPath(this.#core)
    this.#inspections = new Inspections(this.#core)
    const memory = this.#memory
    this.getOrRefill = memory ? hitsFirst(memory, clock, this.#events, this.#getOrRefill) : this.#getOrRefill
    this.peek = memory ? peeksFirst(memory, clock, this.#peek) : this.#peek
    shareOutcomes(this, this.#events)
  }

  /** What `getOrRefill` is for all but fresh hits in memory. */
  readonly #getOrRefill = <V, S = V>(key: string, loader: Loader<V, S>, options?: CallOptions<V>): Promise<V> => {
    const asked = loader as Loader<unknown> as Loader<V>
    try {
      const followed = options === undefined ? this.#reads.follow(key, asked) : undefined
      return followed ?? this.#answer(key, asked, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #answer<V>(key: string, loader: Loader<V>, options: CallOptions<V> | undefined): Promise<V> {
    this.#check(key, options)
    checkFunction('loader', loader)
    throwIfAborted(options?.signal)
    return this.#reads.resolve({ key, loader, settings: settingsOf(options, this.#core.options), onDecided: undefined })
  }

  readonly getOrRefillMany = async <V>(
    keys: readonly string[],
    loader: BatchLoader<V>,
    options?: CallOptions<V>,
  ): Promise<Map<string, V>> => {
    checkArray('keys', keys, 'an array of non-empty strings')
    for (const key of keys as string[]) this.#check(key, options)
    this.#assertOpen()
    checkFunction('loader', loader)
    throwIfAborted(options?.signal)
    const settings = settingsOf(options, this.#core.options)
    const distinct = [...new Set(keys as string[])]
    const batch = new Batch(loader, distinct)
    const results = await Promise.allSettled(
      distinct.map(async (key) => {
        const decided = once(() => batch.decided())
        try {
          return await this.#reads.resolve({ key, loader: batch.loader, settings, onDecided: decided })
        } finally {
          decided() // also where nothing began, because the call was refused
        }
      }),
    )
    const values = new Map<string, V>()
    for (const [i, result] of results.entries()) {
      if (result.status === 'rejected') throw result.reason
      if (result.value !== undefined) values.set(distinct[i] as string, result.value)
    }
    return values
  }

  readonly wrap = <A extends unknown[], V>(
    fn: (...args: A) => V | Promise<V>,
    options: WrapOptions<A, V>,
  ): ((...args: A) => Promise<V>) => {
    const { key, ...callOptions } = options
    const given = Object.keys(callOptions).length > 0 ? (callOptions as CallOptions<V>) : undefined
    return (...args) => this.getOrRefill(key(...args), () => fn(...args), given)
  }

  /** What `peek` is for all but entries that need no further look. */
  readonly #peek = <V>(key: string): V | undefined => {
    const entry = this.#memory?.get<V>(key)
    return entry !== undefined && isFresh(entry, this.#clock.now()) ? entry.read() : undefined
  }

  readonly get = async <V>(key: string, options?: CallOptions<V>): Promise<V | undefined> => {
    this.#check(key, options)
    const { codec } = settingsOf(options, this.#core.options)
    const inMemory = this.peek<V>(key)
    if (inMemory !== undefined) return inMemory
    const entry = await this.#core.redis?.read(key, codec)
    if (entry === undefined || this.#clock.now() >= entry.freshUntil) return undefined
    return entry.value
  }

  readonly set = async <V>(key: string, value: V, options?: CallOptions<V>): Promise<void> => {
    this.#check(key, options)
    const settings = settingsOf(options, this.#core.options)
    const { redis, clock, random } = this.#core
    if (value === undefined) return this.invalidate(key)
    const isolated = isolate(value, settings.codec, this.#memory !== undefined)
    const storing = storingOf(value, settings, { lifetime: {}, tags: [] }, random.uniform())
    this.#forget(key)
    const own = {}
    this.#beingSet.set(key, own)
    try {
      if (redis !== undefined) await redis.write(key, isolated.encode(), storing)
      if (this.#beingSet.get(key) !== own) return // changed again meanwhile, here or elsewhere: memory cannot know how
    } finally {
      if (this.#beingSet.get(key) === own) this.#beingSet.delete(key)
    }
    this.#forget(key) // also what was read from Redis in the meantime
    const now = clock.now()
    const entry = { value, ...instantsOf(storing, now), loadTime: 0, tags: storing.tags.map(readable) }
    this.#memory?.put(key, entry, isolated, now)
  }

  readonly invalidate = async (key: string | readonly string[]): Promise<void> => {
    const keys = typeof key === 'string' ? [key] : key
    checkArray('key', keys, 'a non-empty string or an array of them')
    this.#assertOpen()
    for (const each of keys) checkKey(each)
    for (const each of keys) {
      this.#forget(each)
      this.#events.invalidated(each)
    }
    const { redis } = this.#core
    if (redis === undefined) return
    await Promise.all(keys.map((each) => redis.remove(each)))
    for (const each of keys) this.#forget(each) // also what was read from Redis in the meantime
  }

  readonly invalidateTags = async (tags: string | readonly string[]): Promise<void> => {
    const all = typeof tags === 'string' ? [tags] : tags
    checkTags(all)
    this.#assertOpen()
    const { redis } = this.#core
    for (const tag of all) this.#forgetTagged(tag)
    this.#events.invalidated(undefined)
    if (redis === undefined) return
    await Promise.all(all.map((tag) => redis.invalidateTag(tag)))
    for (const tag of all) this.#forgetTagged(tag) // also what was read from Redis in the meantime
  }

  readonly clear = async (): Promise<void> => {
    this.#assertOpen()
    this.#forgetAll()
    this.#events.invalidated(undefined)
    await this.#core.redis?.removeAll()
    this.#forgetAll()
  }

  readonly stats = (): CacheStats => {
    const { counts, inRedis, loadTime, waits } = this.#events
    const { flights, redis } = this.#core
    return {
      hits: counts.hit,
      staleHits: counts.stale,
      tiers: {
        memory: { hits: counts.hit - inRedis.hit, staleHits: counts.stale - inRedis.stale },
        redis: { hits: inRedis.hit, staleHits: inRedis.stale },
      },
      misses: counts.miss,
      coalesced: counts.coalesced,
      refills: counts.refilled,
      refillFailures: counts['refill-failed'],
      loadTime: loadTime.read(),
      waits: { ...waits },
      leasesLost: counts['lease-lost'],
      invalidations: counts.invalidated,
      errors: counts.error,
      redis: redis?.stats() ?? [],
      entries: this.#memory?.size ?? 0,
      bytes: this.#memory?.bytes,
      flights: flights.size,
    }
  }

  readonly examine = async (key: string): Promise<Inspection> => {
    this.#check(key, undefined)
    return this.#inspections.examine(key)
  }

  readonly flights = (): CacheFlight[] => this.#inspections.flights()

  readonly leases = async (previous?: LeaseListing): Promise<LeaseListing> => {
    this.#assertOpen()
    return this.#inspections.leases(previous)
  }

  readonly on = <E extends CacheEvent>(event: E, listener: CacheListener<E>): (() => void) => {
    checkFunction('listener', listener)
    return this.#events.on(event, listener)
  }

  readonly close = async (): Promise<void> => {
    const closed = new ClosedError('cache')
    this.#closing.abort(closed)
    await this.#reads.close(closed)
    await this.#core.redis?.close()
    this.#forgetAll()
    this.#events.clear()
  }

  /** Throws for what no call can honour, and after `close`. */
  #check<V>(key: string, options: CallOptions<V> | undefined): void {
    checkKey(key)
    if (options !== undefined) checkCallOptions(options)
    this.#assertOpen()
  }

  #assertOpen(): void {
    this.#closing.signal.throwIfAborted()
  }

  /** Callers that come from now on find nothing in memory and join nothing that began before. */
  #forget(key: string): void {
    this.#memory?.delete(key)
    this.#beingSet.delete(key)
    this.#core.passes.delete(key)
    this.#core.backOff.forget(key)
    this.#reads.revoke(key)
  }

  #forgetTagged(tag: string): void {
    this.#memory?.deleteTagged(readable(tag))
    this.#beingSet.clear()
    this.#reads.revokeTagged(tag)
  }

  #apply(change: Change): void {
    if (change.kind === 'key') this.#forget(change.key)
    else if (change.kind === 'tag') this.#forgetTagged(change.tag)
    else this.#forgetAll()
    this.#events.invalidated(change.kind === 'key' ? change.key : undefined)
  }

  #forgetAll(): void {
    this.#memory?.clear()
    this.#beingSet.clear()
    this.#core.passes.clear()
    this.#core.backOff.clear()
    this.#reads.revokeAll()
  }
}

function once(callback: () => void): () => void {
  let called = false
  return () => {
    if (called) return
    called = true
    callback()
  }
}
