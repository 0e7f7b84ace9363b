import { Redis } from 'ioredis'
import type { Contender, Setup } from './contender.ts'

/** `fetch` of raw lru-cache. */
export const lruCache: Contender = {
  name: 'lru-cache fetch()',
  async open({ maxEntries, ttl, load }) {
    const { LRUCache } = await peer('lru-cache')
    const cache = new LRUCache({ max: maxEntries, ttl, fetchMethod: load })
    return { get: (key) => cache.fetch(key), peek: (key) => cache.get(key), close: async () => cache.clear() }
  },
}

/** What raw lru-cache needs to keep a value. */
export const rawLruCache: Contender = {
  name: 'raw lru-cache',
  async open({ maxEntries, ttl, load }) {
    const { LRUCache } = await peer('lru-cache')
    const cache = new LRUCache({ max: maxEntries, ttl })
    return {
      get: async (key) => cache.get(key) ?? cache.set(key, await load(key)),
      close: async () => cache.clear(),
    }
  },
}

export const layeredLoader: Contender = {
  name: 'layered-loader 16.1.0',
  async open({ url, memory, maxEntries, ttl, stale, load }) {
    const { Loader, RedisCache } = await peer('layered-loader')
    const redis = url === undefined ? undefined : new Redis(url)
    // Refresh-ahead stands in for stale service, which it does not have: what is older than ttl is in the refresh window.
    const lifetime = { ttlInMsecs: ttl + stale, ...(stale > 0 ? { ttlLeftBeforeRefreshInMsecs: stale } : {}) }
    const loader = new Loader({
      ...(memory ? { inMemoryCache: { cacheType: 'lru-map', maxItems: maxEntries, ...lifetime } } : {}),
      ...(redis === undefined ? {} : { asyncCache: new RedisCache(redis, { json: true, ...lifetime }) }),
      dataSourceGetOneFn: load,
    })
    return {
      get: (key) => loader.get(key),
      peek: (key) => loader.getInMemoryOnly(key),
      async close() {
        await loader.close()
        redis?.disconnect()
      },
    }
  },
}

export const asyncCacheDedupe: Contender = {
  name: 'async-cache-dedupe 3.4.0',
  async open({ url, maxEntries, ttl, stale, load }) {
    const { createCache } = await peer('async-cache-dedupe')
    const redis = url === undefined ? undefined : new Redis(url)
    const cache = createCache({
      ttl: ttl / 1000,
      stale: stale / 1000,
      storage:
        redis === undefined
          ? { type: 'memory', options: { size: maxEntries } }
          : { type: 'redis', options: { client: redis } },
    })
    cache.define('value', load)
    return { get: (key) => cache.value(key), close: async () => redis?.disconnect() }
  },
}

export const cachified: Contender = {
  name: 'cachified 5.6.3',
  async open({ url, maxEntries, ttl, stale, load }) {
    const { cachified, totalTtl } = await peer('@epic-web/cachified')
    const redis = url === undefined ? undefined : new Redis(url)
    const cache = redis === undefined ? await inLru(maxEntries, totalTtl) : inRedis(redis, totalTtl)
    return {
      get: (key) => cachified({ key, cache, ttl, swr: stale, getFreshValue: () => load(key) }),
      close: async () => redis?.disconnect(),
    }
  },
}

// oxlint-disable-next-line typescript/no-explicit-any -- as above
type Entry = any

/** The adapter of cachified's README. */
async function inLru(max: number, totalTtl: (metadata: unknown) => number): Promise<object> {
  const { LRUCache } = await peer('lru-cache')
  const lru = new LRUCache({ max })
  return {
    set(key: string, value: Entry) {
      const ttl = totalTtl(value?.metadata)
      return lru.set(key, value, { ttl: ttl === Infinity ? undefined : ttl, start: value?.metadata?.createdTime })
    },
    get: (key: string) => lru.get(key),
    delete: (key: string) => lru.delete(key),
  }
}

/** What cachified-redis-adapter does, for ioredis. */
function inRedis(redis: Redis, totalTtl: (metadata: unknown) => number): object {
  return {
    async set(key: string, value: Entry) {
      await redis.set(key, JSON.stringify(value), 'PX', totalTtl(value?.metadata))
    },
    async get(key: string) {
      const text = await redis.get(key)
      return text === null ? null : JSON.parse(text)
    },
    delete: (key: string) => redis.del(key),
  }
}

export const bentocache: Contender = {
  name: 'bentocache 1.6.1',
  async open({ url, memory, maxEntries, ttl, stale, load }) {
    const { BentoCache, bentostore } = await peer('bentocache')
    let store = bentostore()
    if (memory) {
      const { memoryDriver } = await peer('bentocache/drivers/memory')
      // Not to serialize is faster, but fails with two tiers: it keeps what comes from Redis as the string that it is.
      const serialize = url === undefined ? { serialize: false } : {}
      store = store.useL1Layer(memoryDriver({ maxItems: maxEntries, ...serialize }))
    }
    if (url !== undefined) {
      const { redisDriver, redisBusDriver } = await peer('bentocache/drivers/redis')
      const { hostname: host, port } = new URL(url)
      const connection = { host, port: Number(port) }
      store = store.useL2Layer(redisDriver({ connection }))
      if (memory) store = store.useBus(redisBusDriver({ connection }))
    }
    const bento = new BentoCache({ default: 'cache', stores: { cache: store } })
    const lifetime = stale > 0 ? { ttl, grace: stale, timeout: 0 } : { ttl }
    return {
      get: (key) => bento.getOrSet({ key, factory: () => load(key), ...lifetime }),
      close: () => bento.disconnectAll(),
    }
  },
}

export const cacheable: Contender = {
  name: 'cacheable 2.5.0',
  async open({ url, memory, ttl, load }) {
    const { Cacheable } = await peer('cacheable')
    const { default: KeyvRedis } = await peer('@keyv/redis')
    const redis = url === undefined ? undefined : new KeyvRedis(url)
    const stores = redis === undefined ? {} : memory ? { secondary: redis } : { primary: redis }
    const cache = new Cacheable({ ...stores, ttl })
    return { get: (key) => cache.getOrSet(key, () => load(key)), close: () => cache.disconnect() }
  },
}

/** What one would write oneself: memory, Redis, and a mutex around the load, looking again once it is had. */
export const byHand: Contender = {
  name: 'by hand: redis-semaphore, ioredis, lru-cache',
  async open({ url, maxEntries, ttl, stale, load }: Setup) {
    const { LRUCache } = await peer('lru-cache')
    const { Mutex } = await peer('redis-semaphore')
    const redis = new Redis(url as string)
    const memory = new LRUCache({ max: maxEntries, ttl: ttl + stale })
    const flights = new Map<string, Promise<unknown>>()
    type Stored = { value: unknown; freshUntil: number }

    const look = async (key: string): Promise<Stored | undefined> => {
      const text = await redis.get(key)
      return text === null ? undefined : (JSON.parse(text) as Stored)
    }
    const refill = async (key: string): Promise<Stored> => {
      const found = await look(key)
      if (found !== undefined && Date.now() < found.freshUntil) return found
      const mutex = new Mutex(redis, `lock:${key}`)
      await mutex.acquire()
      try {
        const meanwhile = await look(key)
        if (meanwhile !== undefined && Date.now() < meanwhile.freshUntil) return meanwhile
        const stored = { value: await load(key), freshUntil: Date.now() + ttl }
        await redis.set(key, JSON.stringify(stored), 'PX', ttl + stale)
        return stored
      } finally {
        await mutex.release()
      }
    }
    const flightOf = (key: string): Promise<unknown> => {
      let flight = flights.get(key)
      if (flight === undefined) {
        flight = refill(key)
          .then((stored) => {
            memory.set(key, stored)
            return stored.value
          })
          .finally(() => flights.delete(key))
        flights.set(key, flight)
      }
      return flight
    }
    return {
      get(key) {
        const known = memory.get(key) as Stored | undefined
        if (known === undefined) return flightOf(key)
        if (Date.now() >= known.freshUntil) flightOf(key).catch(() => {})
        return known.value
      },
      close: async () => redis.disconnect(),
    }
  },
}

// oxlint-disable-next-line typescript/no-explicit-any -- the peers are installed apart, their types with them
async function peer(name: string): Promise<any> {
  const { load } = (await import(new URL('../../peers/load.js', import.meta.url).href)) as { load: typeof peer }
  try {
    return await load(name)
  } catch (error) {
    throw new Error(`peer ${name} is not installed: npm ci --prefix bench/cache/peers`, { cause: error })
  }
}
