import type { Clock } from '../clock.ts'
import { ClosedError, wrongType } from '../errors.ts'
import type { Flight } from '../flight/flight.ts'
import { Flights } from '../flight/flights.ts'
import type { Random } from '../random.ts'
import { MemoryStore } from '../store/memory-store.ts'
import type { CacheCore } from './core.ts'
import { Events, type CacheEvent, type CacheListener, type CacheStats } from './events.ts'
import type { Loader } from './loader-context.ts'
import { loadAlone } from './load-alone.ts'
import { isolate, Memory, promiseOf, valueOf, type MemoryEntry } from './memory.ts'
import { checkCallOptions, checkKey, checkLoader, settingsOf } from './options.ts'
import type { CallOptions, CallSettings, ResolvedOptions } from './options.ts'
import { RedisTier } from './redis-tier.ts'
import { Reentrance } from './reentrance.ts'
import { Refill } from './refill.ts'

/** Options of `wrap`: how arguments become a key, and what counts for every call. */
export interface WrapOptions<A extends unknown[], V> extends CallOptions<V> {
  key: (...args: A) => string
}

/** Every method may be used detached. All reject with `ClosedError` after `close`. */
export interface Cache {
  /**
   * The value of `key`: from memory, from Redis, from a refill that is under way in this process or another, or by
   * running `loader`. Rejects with the loader's own reason, `RefillFailedError` (it failed in another process),
   * `LoadTimeoutError`, `WaitTimeoutError`, `ReentrantRefillError`, or `signal.reason`. Redis's failures never reject.
   */
  getOrRefill<V>(key: string, loader: Loader<V>, options?: CallOptions<V>): Promise<V>
  /** `fn` behind `getOrRefill`. */
  wrap<A extends unknown[], V>(fn: (...args: A) => V | Promise<V>, options: WrapOptions<A, V>): (...args: A) => Promise<V>
  /** The value if it is fresh in memory; never asks Redis. */
  peek<V>(key: string): V | undefined
  /** The value if it is fresh, in memory or in Redis; never loads. Redis's failures count as nothing found. */
  get<V>(key: string, options?: CallOptions<V>): Promise<V | undefined>
  /** Stores a value; a refill that is under way will not overwrite it. Rejects with Redis's or the codec's error. */
  set<V>(key: string, value: V, options?: CallOptions<V>): Promise<void>
  /** Forgets values; refills that are under way will not bring them back. Rejects with Redis's error. */
  invalidate(key: string | readonly string[]): Promise<void>
  /** Forgets everything under the prefix, in all processes. Rejects with Redis's error. */
  clear(): Promise<void>
  stats(): CacheStats
  /** Calls `listener` at every such event until the returned function is called. */
  on<E extends CacheEvent>(event: E, listener: CacheListener<E>): () => void
  /** Aborts what is under way, gives leases back, and closes the connections that the cache itself has opened. */
  close(): Promise<void>
}

const PASSES_KEPT = 10_000

export class RefillCache implements Cache {
  readonly #core: CacheCore
  readonly #clock: Clock
  readonly #memory: Memory | undefined
  readonly #events: Events
  /** Refills and their aftermath, such as storing what callers have got already. */
  readonly #running = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor(options: ResolvedOptions, clock: Clock, random: Random) {
    this.#clock = clock
    this.#events = new Events()
    this.#memory = options.memory === false ? undefined : new Memory(options.memory)
    const flights = new Flights()
    const [client] = options.redis
    this.#core = {
      options,
      closing: this.#closing.signal,
      clock,
      events: this.#events,
      flights,
      reentrance: new Reentrance(),
      memory: this.#memory,
      passes: new MemoryStore(PASSES_KEPT, undefined),
      redis:
        client &&
        new RedisTier(client, options, clock, random, {
          report: (error) => this.#events.emit('error', () => ({ error })),
          onChange: (change) => (change.kind === 'cleared' ? this.#forgetAll() : this.#forget(change.key)),
          onGap: () => this.#memory?.clear(),
        }),
    }
  }

  readonly getOrRefill = <V>(key: string, loader: Loader<V>, options?: CallOptions<V>): Promise<V> => {
    // The hit path: one look-up, one comparison, and the promise that the entry has kept. Memory knows only valid keys.
    const entry = this.#memory?.get<V>(key)
    if (entry !== undefined && options === undefined && this.#clock.now() < entry.trustedUntil) {
      this.#events.hit(key)
      return entry.promise
    }
    try {
      return this.#answer(key, loader, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #answer<V>(key: string, loader: Loader<V>, options: CallOptions<V> | undefined): Promise<V> {
    this.#check(key, options)
    checkLoader(loader)
    options?.signal?.throwIfAborted()
    const settings = settingsOf(options, this.#core.options)
    const now = this.#clock.now()
    const entry = this.#memory?.get<V>(key)
    if (entry !== undefined && now < Math.min(entry.freshUntil, entry.memoryUntil)) {
      this.#events.hit(key)
      return promiseOf(entry)
    }
    const pass = this.#core.passes.get(key)
    if (pass !== undefined && now < pass.until) return loadAlone(this.#core, key, loader, settings)
    if (entry !== undefined && isUsableStale(entry, now)) return this.#answerStale(entry, key, loader, settings)
    return this.#joinOrStart(key, loader, settings)
  }

  /** Serves a stale value at once, or after `softTimeout`, and sees to its refill. */
  #answerStale<V>(entry: MemoryEntry<V>, key: string, loader: Loader<V>, settings: CallSettings<V>): Promise<V> {
    const { clock, flights } = this.#core
    const waits = settings.softTimeout > 0 && clock.now() >= entry.retryAt
    if (waits) return this.#freshInTime(entry, this.#joinOrStart(key, loader, settings), settings.softTimeout)
    if (clock.now() >= entry.retryAt && flights.current(key) === undefined) {
      this.#start(key, loader, settings, true)
    }
    this.#events.emit('stale', () => ({ key }))
    return promiseOf(entry)
  }

  #freshInTime<V>(entry: MemoryEntry<V>, fresh: Promise<V>, softTimeout: number): Promise<V> {
    return new Promise((resolve) => {
      const takeStale = (): void => resolve(promiseOf(entry))
      const timer = this.#clock.setTimeout(takeStale, softTimeout)
      fresh.then(resolve, takeStale).finally(() => timer.cancel())
    })
  }

  #joinOrStart<V>(key: string, loader: Loader<V>, settings: CallSettings<V>): Promise<V> {
    const { flights, reentrance } = this.#core
    const current = flights.current<V>(key)
    if (current === undefined) {
      this.#events.emit('miss', () => ({ key }))
      const { flight, refill } = this.#start(key, loader, settings, false)
      return reentrance.enter(flight, key, () => flight.join(refill.leadersOwn, settings.signal))
    }
    this.#events.emit('coalesced', () => ({ key }))
    const join = (): Promise<V> => current.join(() => loadAlone(this.#core, key, loader, settings), settings.signal)
    return reentrance.enter(current, key, join)
  }

  #start<V>(
    key: string,
    loader: Loader<V>,
    settings: CallSettings<V>,
    background: boolean,
  ): { flight: Flight<V>; refill: Refill<V> } {
    const flight = this.#core.flights.start<V>(key)
    if (background) flight.keep()
    const refill = new Refill(this.#core, key, loader, settings, flight, background)
    this.#track(refill.run())
    return { flight, refill }
  }

  readonly wrap = <A extends unknown[], V>(
    fn: (...args: A) => V | Promise<V>,
    options: WrapOptions<A, V>,
  ): ((...args: A) => Promise<V>) => {
    const { key, ...callOptions } = options
    const given = Object.keys(callOptions).length > 0 ? (callOptions as CallOptions<V>) : undefined
    return (...args) => this.getOrRefill(key(...args), () => fn(...args), given)
  }

  readonly peek = <V>(key: string): V | undefined => {
    const entry = this.#memory?.get<V>(key)
    if (entry === undefined) return undefined
    const now = this.#clock.now()
    if (now < entry.trustedUntil) return entry.value
    return now < Math.min(entry.freshUntil, entry.memoryUntil) ? valueOf(entry) : undefined
  }

  readonly get = async <V>(key: string, options?: CallOptions<V>): Promise<V | undefined> => {
    this.#check(key, options)
    const { codec } = settingsOf(options, this.#core.options)
    const inMemory = this.peek<V>(key)
    if (inMemory !== undefined) return inMemory
    const { redis } = this.#core
    const entry = await redis?.attempt(() => redis.read(key, codec))
    if (entry === undefined || this.#clock.now() >= entry.freshUntil) return undefined
    return entry.value
  }

  readonly set = async <V>(key: string, value: V, options?: CallOptions<V>): Promise<void> => {
    this.#check(key, options)
    const settings = settingsOf(options, this.#core.options)
    const { redis, clock } = this.#core
    if (value === undefined) return this.invalidate(key)
    const isolated = isolate(value, settings.codec)
    this.#forget(key)
    if (redis !== undefined) await redis.write(key, isolated.encode(), settings)
    this.#forget(key) // also what was read from Redis in the meantime
    const now = clock.now()
    const freshUntil = now + settings.ttl
    const staleUntil = freshUntil + settings.staleWhileRevalidate
    const errorUntil = freshUntil + settings.staleIfError
    this.#memory?.put(key, { value, freshUntil, staleUntil, errorUntil, loadTime: 0 }, isolated, now)
  }

  readonly invalidate = async (key: string | readonly string[]): Promise<void> => {
    const keys = typeof key === 'string' ? [key] : key
    for (const each of keys) this.#check(each, undefined)
    for (const each of keys) this.#forget(each)
    const { redis } = this.#core
    if (redis === undefined) return
    await Promise.all(keys.map((each) => redis.remove(each)))
    for (const each of keys) this.#forget(each) // also what was read from Redis in the meantime
  }

  readonly clear = async (): Promise<void> => {
    this.#assertOpen()
    this.#forgetAll()
    await this.#core.redis?.removeAll()
    this.#forgetAll()
  }

  readonly stats = (): CacheStats => {
    const { counts } = this.#events
    return {
      hits: counts.hit,
      staleHits: counts.stale,
      misses: counts.miss,
      coalesced: counts.coalesced,
      refills: counts.refilled,
      refillFailures: counts['refill-failed'],
      leasesLost: counts['lease-lost'],
      errors: counts.error,
      entries: this.#memory?.size ?? 0,
      flights: this.#core.flights.size,
    }
  }

  readonly on = <E extends CacheEvent>(event: E, listener: CacheListener<E>): (() => void) => {
    if (typeof listener !== 'function') throw wrongType('listener', 'a function', listener)
    return this.#events.on(event, listener)
  }

  readonly close = async (): Promise<void> => {
    const closed = new ClosedError('cache')
    this.#closing.abort(closed)
    this.#core.flights.abortAll(closed)
    await Promise.all(this.#running)
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
    this.#core.passes.delete(key)
    this.#core.flights.revoke(key)
  }

  #forgetAll(): void {
    this.#memory?.clear()
    this.#core.passes.clear()
    this.#core.flights.revokeAll()
  }

  #track(work: Promise<void>): void {
    this.#running.add(work)
    void work.finally(() => this.#running.delete(work))
  }
}

/** Whether a value that is past its ttl may be served: within its window, or for want of a better one after a failure. */
function isUsableStale(entry: MemoryEntry, now: number): boolean {
  if (now < entry.freshUntil) return false // only memory's own ttl is over: Redis knows more
  return now < entry.staleUntil || (now < entry.errorUntil && now < entry.retryAt)
}
