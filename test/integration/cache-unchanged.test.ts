import { Cluster, Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import type { LoaderContext } from '../../src/cache/refill/loader-context.ts'
import { defaultCodec, type Codec } from '../../src/store/codec.ts'
import { settled } from '../support/cache-lab.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { startCluster, type RedisCluster } from '../support/redis-cluster.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { uniquePrefix } from '../support/shared-redis.ts'

let servers: RedisServer[]
let cluster: RedisCluster
beforeAll(async () => {
  ;[cluster, ...servers] = await Promise.all([startCluster(), startRedis(), startRedis()])
}, 60_000)
afterAll(() => Promise.all([cluster, ...servers].map((server) => server.stop())))

const connections = {
  'one Redis': () => [new Redis(servers[0]?.url as string)],
  'two instances': () => servers.map(({ url }) => new Redis(url)),
  'a Cluster': () => [new Cluster([...cluster.addresses])],
}
const setups = Object.entries(connections).flatMap(([where, connect]) => [
  { where, connect: connect as () => (Redis | Cluster)[], memory: false as const, tier: 'without memory' },
  { where, connect: connect as () => (Redis | Cluster)[], memory: {}, tier: 'with memory' },
])

const TTL = 60_000
const TAGS = ['plain', 'long '.repeat(60)]
interface Loaded {
  n: number
}

describe.each(setups)('unchanged(), on $where $tier', ({ where, connect, memory }) => {
  let prefix: string
  let encoded: number
  const codec: Codec<unknown> = { ...defaultCodec, encode: (value) => (encoded++, defaultCodec.encode(value)) }
  const open: { cache: Cache; clients: (Redis | Cluster)[] }[] = []
  beforeEach(() => {
    prefix = uniquePrefix('unchanged')
    encoded = 0
  })
  afterEach(async () => {
    for (const { cache, clients } of open.splice(0)) {
      await cache.close()
      for (const client of clients) client.disconnect()
    }
  })

  /** A cache as another process would have it. */
  function process(options: Partial<CacheOptions> = {}): Cache & { clients: (Redis | Cluster)[] } {
    const clients = connect()
    const cache = createCache({ ttl: TTL, staleIfError: TTL, prefix, redis: clients, memory, codec, ...options })
    open.push({ cache, clients })
    return Object.assign(cache, { clients })
  }
  const listening = (...caches: Cache[]): Promise<unknown> =>
    eventually('inboxes are open', async () => {
      for (const cache of caches) await cache.getOrRefill('warm-up', () => 1)
      return caches.every((cache) => cache.stats().redis.every(({ messages }) => messages === 'connected'))
    })
  /** Stores a value that is stale from the start. */
  const storeStale = async (cache: Cache, value: unknown, options = { tags: TAGS }): Promise<void> => {
    await cache.getOrRefill('key', ({ cacheFor }) => (cacheFor({ ttl: 0 }), value), options)
    await settled(cache)
  }
  const unchanged = ({ stale, unchanged }: LoaderContext<Loaded>): Loaded => {
    expect(stale).toBeDefined()
    return unchanged()
  }

  test('gives the stored value a new life and keeps its tags, without encoding it', async () => {
    const [one, other] = [process(), process({ memory: false })]
    await listening(one)
    await storeStale(one, { n: 1 })
    const before = encoded
    expect(await one.getOrRefill('key', unchanged)).toEqual({ n: 1 })
    await settled(one)
    expect(encoded).toBe(before)
    const { redis } = await other.examine('key')
    expect(redis).toMatchObject({ state: 'fresh', staleIfError: TTL })
    expect(redis?.ttl).toBeGreaterThan(TTL - 10_000)
    expect(redis?.tags).toHaveLength(2)
    expect(await other.getOrRefill('key', () => ({ n: 2 }))).toEqual({ n: 1 })
    expect(await one.getOrRefill('key', () => ({ n: 2 }))).toEqual({ n: 1 })
    for (const tag of TAGS) {
      await one.invalidateTags(tag)
      expect(await other.get('key')).toBeUndefined()
      expect(await one.get('key')).toBeUndefined()
      await storeStale(one, { n: 1 })
      await one.getOrRefill('key', unchanged)
      await settled(one)
    }
  })

  test('takes what the loader says of this life: its ttl, and further tags', async () => {
    const [one, other] = [process(), process({ memory: false })]
    await storeStale(one, { n: 1 }, { tags: ['first'] })
    const load = (context: LoaderContext<Loaded>): Loaded => {
      context.cacheFor({ ttl: 5000, tags: ['second'] })
      return context.unchanged()
    }
    const before = encoded
    expect(await one.getOrRefill('key', load)).toEqual({ n: 1 })
    await settled(one)
    expect(encoded).toBe(before)
    const { redis } = await other.examine('key')
    expect(redis).toMatchObject({ state: 'fresh', tags: ['first', 'second'] })
    expect(redis?.ttl).toBeLessThanOrEqual(5000)
    expect(await other.get('key')).toEqual({ n: 1 })
    await other.invalidateTags('second')
    expect(await other.get('key')).toBeUndefined()
  })

  test('brings an expired entry back, whose ttl its tag has ended', async () => {
    const [one, other] = [process(), process({ memory: false })]
    await one.set('key', { n: 1 }, { tags: TAGS })
    await one.expireTags('plain')
    expect(await one.getOrRefill('key', unchanged)).toEqual({ n: 1 })
    await settled(one)
    expect(await other.get('key')).toEqual({ n: 1 })
  })

  test.each([10, 100_000])('hands the value of %i characters to those who wait in other processes', async (length) => {
    const [one, other] = [process(), process({ staleWhileRevalidate: 0 })]
    await listening(one, other)
    const value = { text: 'x'.repeat(length) }
    await storeStale(one, value)
    const [begun, gate] = [deferred<void>(), deferred<void>()]
    const first = one.getOrRefill('key', async ({ unchanged }: LoaderContext<typeof value>) => {
      begun.resolve()
      await gate.promise
      return unchanged()
    })
    await begun.promise
    const second = other.getOrRefill('key', () => ({ text: 'own' }))
    await eventually('the other waits', async () => (await one.examine('key')).lease?.waitingProcesses === 1)
    gate.resolve()
    expect(await first).toEqual(value)
    expect(await second).toEqual(value)
    expect(other.stats().refills).toBe(0)
  })

  test('stores the value where it has gone meanwhile', async () => {
    const [one, other] = [process(), process({ memory: false })]
    await storeStale(one, { n: 1 })
    const gone = connect().at(-1) as Redis | Cluster
    const load = async (context: LoaderContext<Loaded>): Promise<Loaded> => {
      await gone.del(`${prefix}:{key}`)
      return context.unchanged()
    }
    expect(await one.getOrRefill('key', load)).toEqual({ n: 1 })
    gone.disconnect()
    await settled(one)
    expect(await other.get('key')).toEqual({ n: 1 })
    expect((await other.examine('key')).redis?.tags).toHaveLength(2)
  })

  test.each<[string, (cache: Cache) => Promise<void>]>([
    ['key was invalidated', (cache) => cache.invalidate('key')],
    ['key was expired', (cache) => cache.expire('key')],
    ['tag was invalidated', (cache) => cache.invalidateTags('plain')],
    ['tag was expired', (cache) => cache.expireTags('plain')],
  ])('does nothing once the %s', async (_, change) => {
    const [one, other] = [process(), process({ memory: false })]
    await listening(one, other)
    await storeStale(one, { n: 1 })
    const load = async (context: LoaderContext<Loaded>): Promise<Loaded> => {
      await change(other)
      return context.unchanged()
    }
    expect(await one.getOrRefill('key', load)).toEqual({ n: 1 })
    await settled(one)
    expect(await other.get('key')).toBeUndefined()
    await eventually('memory has dropped it', () => one.peek('key') === undefined)
  })

  test('leaves alone what was set meanwhile', async () => {
    const [one, other] = [process(), process({ memory: false })]
    await listening(one, other)
    await storeStale(one, { n: 1 })
    const load = async (context: LoaderContext<Loaded>): Promise<Loaded> => {
      await other.set('key', { n: 2 }, { ttl: 5000, tags: ['other'] })
      return context.unchanged()
    }
    expect(await one.getOrRefill('key', load)).toEqual({ n: 1 })
    await settled(one)
    expect(await other.get('key')).toEqual({ n: 2 })
    const { redis } = await other.examine('key')
    expect(redis?.tags).toEqual(['other'])
    expect(redis?.ttl).toBeLessThanOrEqual(5000)
    await eventually('memory has the new one', async () => (await one.get<Loaded>('key'))?.n === 2)
  })

  test('what each caller gets is its own, also where values cannot be frozen', async () => {
    const [one, other] = [process(), process({ memory: false })]
    await storeStale(one, new Map([['n', 1]]))
    const load = ({ stale, unchanged }: LoaderContext<Map<string, number>>): Map<string, number> => {
      stale?.set('changed', 1)
      return unchanged()
    }
    const values = await Promise.all([one.getOrRefill('key', load), one.getOrRefill('key', load)])
    await settled(one)
    values[0].set('n', 2)
    expect(values[1]).toEqual(new Map([['n', 1]]))
    for (const cache of [one, other]) expect(await cache.get('key')).toEqual(new Map([['n', 1]]))
  })

  if (where !== 'one Redis') return
  test('costs Redis two commands, and no bytes of the value', async () => {
    const one = process()
    await listening(one)
    await storeStale(one, { text: 'x'.repeat(200_000) }, { tags: [] })
    const [server] = servers as [RedisServer]
    const counts = async (): Promise<{ commands: number; bytes: number }> => {
      const stats = String(await server.command('INFO', 'all'))
      const calls = [...stats.matchAll(/cmdstat_evalsha:calls=(\d+)/g)].map(([, n]) => Number(n))
      return { commands: calls[0] ?? 0, bytes: Number(/total_net_input_bytes:(\d+)/.exec(stats)?.[1]) }
    }
    await storeStale(one, 'first', { tags: [] })
    await one.getOrRefill('key', ({ unchanged }) => unchanged()) // its script is loaded from now on
    await settled(one)
    await one.set('key', { text: 'x'.repeat(200_000) })
    await one.expire('key')
    const before = await counts()
    await one.getOrRefill('key', ({ unchanged }) => unchanged())
    await settled(one)
    const after = await counts()
    expect(after.commands - before.commands).toBe(2)
    expect(after.bytes - before.bytes).toBeLessThan(10_000)
  })
})
