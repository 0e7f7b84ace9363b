import { GlideClient } from '@valkey/valkey-glide'
import { createCache, type CacheOptions } from 'herdlock'
import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import type { Contender } from './contender.ts'

/** One client as its users make it. */
interface Connected {
  readonly redis: CacheOptions['redis']
  get(key: string): Promise<unknown>
  set(key: string, value: string, ttl: number): Promise<unknown>
  close(): unknown
}

const libraries: Readonly<Record<string, (url: string) => Connected | Promise<Connected>>> = {
  ioredis: (url) => {
    const redis = new Redis(url)
    return {
      redis,
      get: (key) => redis.get(key),
      set: (key, value, ttl) => redis.set(key, value, 'PX', ttl),
      close: () => redis.disconnect(),
    }
  },
  iovalkey: (url) => {
    const redis = new Valkey(url)
    return {
      redis,
      get: (key) => redis.get(key),
      set: (key, value, ttl) => redis.set(key, value, 'PX', ttl),
      close: () => redis.disconnect(),
    }
  },
  'node-redis': async (url) => {
    const redis = createClient({ url })
    await redis.connect()
    return {
      redis,
      get: (key) => redis.get(key),
      set: (key, value, ttl) => redis.set(key, value, { expiration: { type: 'PX', value: ttl } }),
      close: () => redis.destroy(),
    }
  },
  GLIDE: async (url) => {
    const { hostname: host, port } = new URL(url)
    const redis = await GlideClient.createClient({ addresses: [{ host, port: Number(port) }], requestTimeout: 10_000 })
    return {
      redis,
      get: (key) => redis.get(key),
      set: (key, value, ttl) => redis.customCommand(['SET', key, value, 'PX', String(ttl)]),
      close: () => redis.close(),
    }
  },
}

/** A client's own single reads, the least that they can be, and herdlock over it. */
export interface ClientPair {
  readonly client: string
  readonly own: Contender
  readonly cached: Contender
}

export const clientPairs: readonly ClientPair[] = Object.entries(libraries).map(([client, connect]) => ({
  client,
  own: {
    name: `${client} GET + JSON.parse`,
    async open({ url, load, ttl }) {
      const { get, set, close } = await connect(url as string)
      const fill = async (key: string): Promise<unknown> => {
        const value = await load(key)
        await set(key, JSON.stringify(value), ttl)
        return value
      }
      return {
        async get(key) {
          const text = await get(key)
          return text === null ? fill(key) : JSON.parse(text as string)
        },
        close: async () => close(),
      }
    },
  },
  cached: {
    name: `herdlock over ${client}`,
    async open({ url, load, ttl }) {
      const { redis, close } = await connect(url as string)
      const cache = createCache({ ttl, memory: false, commandTimeout: 10_000, redis })
      const loader = ({ key }: { key: string }): Promise<unknown> => load(key)
      return {
        get: (key) => cache.getOrRefill(key, loader),
        async close() {
          await cache.close()
          close()
        },
      }
    },
  },
}))
