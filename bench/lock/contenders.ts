import { Locker } from 'herdlock/lock'
import { Redis } from 'ioredis'
import type { Contender } from './contender.ts'
import { handOffLimit, pairLimit } from './limit.ts'

/** Retries that never run out, at each library's default pace unless that is only a number of tries. */
const FOREVER = 1e6

export const herdlock: Contender = {
  name: 'herdlock',
  async connect(url) {
    const redis = new Redis(url)
    const locker = new Locker({ clients: redis })
    await locker.prepare()
    return {
      async acquire(key, ttl) {
        const lock = await locker.acquire(key, ttl)
        return () => lock.release()
      },
      async close() {
        await locker.close()
        redis.disconnect()
      },
    }
  },
}

const redlock4: Contender = {
  name: 'redlock 4.2.0',
  async connect(url) {
    const redis = new Redis(url)
    const Redlock = await peer('redlock4')
    const redlock = new Redlock([redis], { retryCount: FOREVER })
    return {
      async acquire(key, ttl) {
        const lock = await redlock.lock(key, ttl)
        return () => lock.unlock()
      },
      close: async () => redis.disconnect(),
    }
  },
}

const redlock5: Contender = {
  name: 'redlock 5.0.0-beta.2',
  async connect(url) {
    const redis = new Redis(url)
    const Redlock = await peer('redlock5')
    const redlock = new (Redlock.default ?? Redlock)([redis], { retryCount: FOREVER })
    return {
      async acquire(key, ttl) {
        const lock = await redlock.acquire([key], ttl)
        return () => lock.release()
      },
      close: async () => redis.disconnect(),
    }
  },
}

const redisSemaphore: Contender = {
  name: 'redis-semaphore 5.8.0',
  async connect(url) {
    const redis = new Redis(url)
    const { Mutex } = await peer('redis-semaphore')
    return {
      async acquire(key, ttl) {
        const mutex = new Mutex(redis, key, { lockTimeout: ttl, acquireTimeout: 3_600_000, refreshInterval: 0 })
        await mutex.acquire()
        return () => mutex.release()
      },
      close: async () => redis.disconnect(),
    }
  },
}

const ioredisLock: Contender = {
  name: 'ioredis-lock 4.0.0',
  async connect(url) {
    const redis = new Redis(url)
    const { createLock } = await peer('ioredis-lock')
    return {
      async acquire(key, ttl) {
        const lock = createLock(redis, { timeout: ttl, retries: FOREVER, delay: 50 })
        await lock.acquire(key)
        return () => lock.release()
      },
      close: async () => redis.disconnect(),
    }
  },
}

const simpleRedisMutex: Contender = {
  name: 'simple-redis-mutex 3.0.0 (pub/sub)',
  async connect(url) {
    const { createClient } = await peer('redis')
    const { lock } = await peer('simple-redis-mutex')
    const redis = await createClient({ url }).connect()
    return {
      acquire: (key, ttl) => lock(redis, key, { timeout: ttl }),
      close: async () => redis.destroy(),
    }
  },
}

// oxlint-disable-next-line typescript/no-explicit-any -- the peers are installed apart, their types with them
async function peer(name: string): Promise<any> {
  try {
    const { load } = (await import(new URL('peers/load.js', import.meta.url).href)) as { load: typeof peer }
    const { default: exported, ...named } = await load(name)
    return exported ?? named
  } catch (error) {
    throw new Error(`peer ${name} is not installed: npm ci --prefix bench/lock/peers`, { cause: error })
  }
}

const peers = [redlock4, redlock5, redisSemaphore, ioredisLock, simpleRedisMutex]

export const pairContenders: readonly Contender[] = [pairLimit, herdlock, ...peers]
export const handOffContenders: readonly Contender[] = [handOffLimit, herdlock, ...peers]
