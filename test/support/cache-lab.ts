import { setImmediate as nextTurn } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import { deferred, type Deferred } from './deferred.ts'
import { eventually } from './eventually.ts'
import { connectedClients, expectNoLeaks, snapshotResources, type Resources } from './leaks.ts'
import { startRedis, type RedisServer, type RedisServerOptions } from './redis-server.ts'
import { uniquePrefix } from './shared-redis.ts'

/** What a suite that treats caches badly needs, and what every test of it must leave behind: nothing. */
export interface CacheLab {
  /** The suite's own Redis. */
  readonly redis: RedisServer
  /** That of the caches of the present test. */
  readonly prefix: string
  /** What the caches of the present test have reported. */
  readonly errors: readonly Error[]
  /** A client as users make them, with ioredis' defaults. */
  client(url?: string): Redis
  /** A cache on a client of its own, as another process would have; `url` may lead through a proxy. */
  cache(options?: Partial<CacheOptions>, url?: string): Cache
  /** Has `end` called when the present test is over. */
  atEnd(end: () => Promise<unknown>): void
  /** The keys of the present test that Redis has. */
  keys(): Promise<string[]>
}

export function cacheLab(serverOptions?: RedisServerOptions): CacheLab {
  let redis: RedisServer
  let prefix = ''
  let before: Resources
  const errors: Error[] = []
  const ends: (() => Promise<unknown>)[] = []
  const clients: Redis[] = []

  beforeAll(async () => {
    redis = await startRedis(serverOptions)
    before = snapshotResources()
  })
  afterAll(async () => {
    // A client of a Redis that is gone keeps a timer for 2 s after its end: ioredis' `disconnectTimeout`.
    await expectNoLeaks(before).catch(() => expectNoLeaks(before))
    await redis.stop()
  })
  beforeEach(() => {
    prefix = uniquePrefix('lab')
    errors.length = 0
  })
  afterEach(async () => {
    redis.resume()
    await Promise.all(ends.splice(0).map((end) => end()))
    for (const client of clients.splice(0)) client.disconnect()
    await redis.command('PING').catch(() => redis.restart())
    await expect.poll(() => connectedClients(redis), { timeout: 5000 }).toEqual([])
    await redis.command('FLUSHALL')
  })

  function client(url = redis.url): Redis {
    const made = new Redis(url)
    made.on('error', () => {}) // ioredis would print them
    clients.push(made)
    return made
  }

  return {
    get redis() {
      return redis
    },
    get prefix() {
      return prefix
    },
    errors,
    client,
    cache(options = {}, url) {
      const cache = createCache({ ttl: 60_000, prefix, redis: client(url), ...options })
      cache.on('error', ({ error }) => errors.push(error as Error))
      ends.push(cache.close)
      return cache
    },
    atEnd: (end) => void ends.push(end),
    keys: async () => (await redis.command('KEYS', `${prefix}*`)) as string[],
  }
}

/** Opens connections, loads scripts, and waits until the inbox listens, as in a process that runs for a while. */
export async function warmUp(server: RedisServer, ...caches: Cache[]): Promise<void> {
  for (const [i, cache] of caches.entries()) await cache.getOrRefill(`warm-up ${i}`, () => i)
  await eventually('inboxes are open', async () => (await subscribers(server)) >= caches.length)
  for (let turns = 0; turns < 2; turns++) await nextTurn() // in which the clients, too, learn that they are
  await Promise.all(caches.map(settled))
}

/** Two caches of the present test, warmed up. */
export async function warmCaches(lab: CacheLab, options: Partial<CacheOptions>): Promise<[Cache, Cache]> {
  const caches: [Cache, Cache] = [lab.cache(options), lab.cache(options)]
  await warmUp(lab.redis, ...caches)
  return caches
}

/** Connections that are subscribed to something. */
export async function subscribers(server: RedisServer): Promise<number> {
  return (await connectedClients(server)).filter(({ sub }) => sub > 0).length
}

/** Resolves when nothing is under way in the cache: what was loaded is stored. */
export async function settled(cache: Cache): Promise<void> {
  await eventually('no flight is under way', () => cache.stats().flights === 0, { every: 1 })
}

/** A loader that the test lets go on, or fail, when it says so. */
export interface GatedLoad<V> {
  readonly loader: (context: { signal: AbortSignal }) => Promise<V>
  /** Resolves with the load's signal at its first run. */
  readonly started: Promise<AbortSignal>
  readonly gate: Deferred<V>
  readonly runs: number
}

export function gatedLoad<V>(): GatedLoad<V> {
  const started = deferred<AbortSignal>()
  const gate = deferred<V>()
  gate.promise.catch(() => {})
  let runs = 0
  return {
    loader({ signal }) {
      runs++
      started.resolve(signal)
      return gate.promise
    },
    started: started.promise,
    gate,
    get runs() {
      return runs
    },
  }
}

/** Runs `action` and says how long it took, in ms. */
export async function timed<T>(action: () => Promise<T>): Promise<{ value: T; took: number }> {
  const startedAt = performance.now()
  const value = await action()
  return { value, took: performance.now() - startedAt }
}
