import { EventEmitter } from 'node:events'
import type { Cache } from '../cache/cache.ts'
import type { LoaderContext } from '../cache/refill/loader-context.ts'
import { insideOf } from '../cache/watch/inside.ts'
import { checkArray, checkFunction, checkMethods, checkNumber } from '../check.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { CacheManagerEvents } from './events.ts'

/** A time in ms, or a function that makes one from the value. */
type Time<T> = number | ((value: T) => number | undefined)

/** Options of `wrap`. */
export interface ManagedWrapOptions<T> {
  /** ms until the value expires. 0: a year. Default: the cache's `ttl`. */
  ttl?: Time<T> | undefined
  /**
   * ms before the value expires in which `wrap` still returns it while one caller of all processes loads a new one.
   * Default: none; the cache's `staleWhileRevalidate` begins when the value has expired.
   */
  refreshThreshold?: Time<T> | undefined
}

/** The interface of cache-manager 7. Durations are ms. */
export interface CacheManager {
  /** The value, or `undefined`. A failure of Redis counts as nothing found. */
  get<T>(key: string): Promise<T | undefined>
  /** The values in the order of their keys. */
  mget<T>(keys: string[]): Promise<(T | undefined)[]>
  /** When the value expires, in ms since 1970; `undefined` if there is none. Costs a few plain commands. */
  ttl(key: string): Promise<number | undefined>
  /** Stores the value and resolves with it. Rejects with the error of Redis. A `ttl` of 0 means a year. */
  set<T>(key: string, value: T, ttl?: number): Promise<T>
  mset<T>(list: { key: string; value: T; ttl?: number }[]): Promise<{ key: string; value: T; ttl?: number }[]>
  /** Resolves with `true`, whether or not there was a value. Rejects with the error of Redis. */
  del(key: string): Promise<boolean>
  mdel(keys: string[]): Promise<boolean>
  /** Forgets everything in the cache or namespace. Resolves with `true`; rejects with the error of Redis. */
  clear(): Promise<boolean>
  on<E extends keyof CacheManagerEvents>(event: E, listener: CacheManagerEvents[E]): EventEmitter
  off<E extends keyof CacheManagerEvents>(event: E, listener: CacheManagerEvents[E]): EventEmitter
  /** Closes the cache. Its Redis clients stay open. */
  disconnect(): Promise<undefined>
  /** The cache's name. */
  cacheId(): string
  /** Empty: there is no Keyv behind it. */
  stores: never[]
  /** The stored value, or that of `fnc`, which runs once for all callers in all processes. Rejects with the reason of `fnc`. */
  wrap<T>(
    key: string,
    fnc: () => T | Promise<T>,
    ttl?: number | ((value: T) => number),
    refreshThreshold?: number | ((value: T) => number),
  ): Promise<T>
  wrap<T>(key: string, fnc: () => T | Promise<T>, options: ManagedWrapOptions<T>): Promise<T>
  /** With `raw`, also says when the value expires, in ms since 1970. */
  wrap<T>(
    key: string,
    fnc: () => T | Promise<T>,
    options: ManagedWrapOptions<T> & { raw: true },
  ): Promise<{ value: T; expires: number | undefined }>
}

/** A cache, or a namespace of one, behind the interface of cache-manager 7. Its methods may be used detached. */
export function cacheManager(cache: Cache): CacheManager {
  return cacheManagerOn(cache, systemClock)
}

/** For tests, which control time. */
export function cacheManagerOn(cache: Cache, clock: Clock): CacheManager {
  checkMethods('cache', cache, 'a Cache', ['getOrRefill', 'examine'])
  const emitter = new EventEmitter()

  /** Emits how an operation went, and passes its failure on. */
  async function told(
    event: keyof CacheManagerEvents | 'mdel',
    data: object,
    work: () => Promise<unknown>,
  ): Promise<void> {
    try {
      await work()
    } catch (error) {
      emitter.emit(event, { ...data, error })
      throw error
    }
    emitter.emit(event, data)
  }

  const store = async (key: string, value: unknown, ttl: number | undefined): Promise<void> => {
    await cache.set(key, value, ttl === undefined ? undefined : { ttl: lifetimeOf(ttl) })
  }

  async function get<T>(key: string): Promise<T | undefined> {
    const value = await cache.get<T>(key)
    if (value !== undefined) emitter.emit('get', { key, value })
    return value
  }

  /** When the value expires. `inWrap`: for `wrap`, which returns it for a while longer. */
  async function expires(key: string, inWrap: boolean): Promise<number | undefined> {
    const { memory, redis } = await cache.examine(key)
    const entry = [redis, memory].find((found) => found !== undefined && found.state !== 'unshareable')
    if (entry === undefined) return undefined
    const left = entry.ttl + (inWrap ? entry.staleWhileRevalidate : 0)
    return left > 0 ? Math.round(clock.wallNow() + left) : undefined
  }

  /** Runs the function that `wrap` wraps, and says how long its value is kept. */
  async function load<T>(
    fnc: () => T | Promise<T>,
    options: ManagedWrapOptions<T>,
    context: LoaderContext<T>,
  ): Promise<T> {
    const { key, background } = context
    try {
      const value = await fnc()
      context.cacheFor(lifetimesOf(value, options))
      emitter.emit('set', { key, value })
      if (background) emitter.emit('refresh', { key, value })
      return value
    } catch (error) {
      if (background) emitter.emit('refresh', { key, value: context.stale, error })
      throw error
    }
  }

  function lifetimesOf<T>(value: T, options: ManagedWrapOptions<T>): { ttl?: number; staleWhileRevalidate?: number } {
    const given = timeOf(options.ttl, value)
    const threshold = timeOf(options.refreshThreshold, value)
    const whole = given === undefined ? insideOf(cache).ttl : lifetimeOf(given)
    if (threshold === undefined || whole === undefined) return given === undefined ? {} : { ttl: lifetimeOf(given) }
    const window = Math.min(wholeMs('refreshThreshold', threshold), whole)
    return { ttl: whole - window, staleWhileRevalidate: window }
  }

  async function wrap<T>(
    key: string,
    fnc: () => T | Promise<T>,
    given?: Time<T> | (ManagedWrapOptions<T> & { raw?: true }),
    refreshThreshold?: Time<T>,
  ): Promise<T | { value: T; expires: number | undefined }> {
    checkFunction('fnc', fnc)
    const options = typeof given === 'object' && given !== null ? given : { ttl: given, refreshThreshold }
    const value = await cache.getOrRefill<T>(key, (context) => load(fnc, options, context))
    const isRaw = 'raw' in options && options.raw === true
    return isRaw ? { value, expires: await expires(key, options.refreshThreshold !== undefined) } : value
  }

  return {
    get,
    async mget<T>(keys: string[]) {
      checkArray('keys', keys, 'an array of non-empty strings')
      const values = await Promise.all(keys.map((key) => cache.get<T>(key)))
      emitter.emit('mget', { keys, values })
      return values
    },
    ttl: (key) => expires(key, false),
    async set(key, value, ttl) {
      await told('set', { key, value }, () => store(key, value, ttl))
      return value
    },
    async mset(list) {
      checkArray('list', list, 'an array of objects with key and value')
      await told('mset', { list }, () => Promise.all(list.map(({ key, value, ttl }) => store(key, value, ttl))))
      return list
    },
    async del(key) {
      await told('del', { key }, () => cache.invalidate(key))
      return true
    },
    async mdel(keys) {
      await told('mdel', { keys }, () => cache.invalidate(keys))
      return true
    },
    async clear() {
      try {
        await cache.clear()
      } catch (error) {
        emitter.emit('clear', error)
        throw error
      }
      emitter.emit('clear')
      return true
    },
    wrap: wrap as CacheManager['wrap'],
    on: (event, listener) => emitter.on(event, listener),
    off: (event, listener) => emitter.off(event, listener),
    async disconnect() {
      await cache.close()
      return undefined
    },
    cacheId: () => cache.name,
    stores: [],
  }
}

function timeOf<T>(time: Time<T> | null | undefined, value: T): number | undefined {
  return (typeof time === 'function' ? time(value) : time) ?? undefined
}

/** In cache-manager, 0 means no end. */
function lifetimeOf(ttl: number): number {
  return ttl === 0 ? Infinity : wholeMs('ttl', ttl)
}

function wholeMs(option: string, time: number): number {
  return Math.ceil(checkNumber(option, time, 'a number of milliseconds, 0 or more', (number) => number >= 0))
}
