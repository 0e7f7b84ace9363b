import { createCache } from 'herdlock'
import { Redis } from 'ioredis'
import type { Contender, Setup } from './contender.ts'

export const herdlock: Contender = {
  name: 'herdlock',
  open: async ({ url, memory, maxEntries, ttl, stale, load }) => {
    const redis = url === undefined ? undefined : new Redis(url)
    const cache = createCache({
      ttl,
      staleWhileRevalidate: stale,
      commandTimeout: 10_000, // none of the others has a deadline, and 64 MB at once on a busy machine take their time
      memory: memory ? { maxEntries } : false,
      redis,
    })
    const { getOrRefill, peek } = cache
    const loader = ({ key }: { key: string }): Promise<unknown> => load(key)
    return {
      get: (key) => getOrRefill(key, loader),
      peek,
      async close() {
        await cache.close()
        redis?.disconnect()
      },
    }
  },
}

/** The same under another name, where one question is asked with and without Redis. */
export const herdlockWithRedis: Contender = {
  name: 'herdlock, Redis attached',
  open: (setup: Setup) => herdlock.open(setup),
}
