import { Cluster, Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import type { LeaseListing } from '../../src/cache/watch/inspection.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import { gatedLoad, settled, warmUp, type GatedLoad } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { startCluster } from '../support/redis-cluster.ts'
import { startRedis } from '../support/redis-server.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'

const clients = {} as { redis: Redis; other: Redis; prefixed: Redis; cluster: Cluster }
const stops: (() => unknown)[] = []
beforeAll(async () => {
  const cluster = await startCluster()
  clients.redis = new Redis(sharedRedis().url)
  clients.other = new Redis(sharedRedis().url)
  clients.prefixed = new Redis(sharedRedis().url, { keyPrefix: 'app[1]:' })
  clients.cluster = new Cluster([...cluster.addresses])
  stops.push(() => cluster.stop())
}, 60_000)
afterAll(async () => {
  for (const client of Object.values(clients)) client.disconnect()
  await Promise.all(stops.map((stop) => stop()))
})

const open: Cache[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((cache) => cache.close()))
})
function cacheWith(options: Partial<CacheOptions>): Cache {
  const cache = createCache({ ttl: 60_000, prefix: uniquePrefix('inspect'), ...options })
  open.push(cache)
  return cache
}

/** All leases, in as many calls as it takes. */
async function allLeases(cache: Cache): Promise<LeaseListing> {
  let listing = await cache.leases()
  while (!listing.complete) listing = await cache.leases(listing)
  return listing
}

const KEYS = ['user:1', 'a{b}c%d', '<img src=x>', 'ü🦜\n\0', 'long '.repeat(100)]

describe.each([
  ['one Redis', () => ({ redis: clients.redis })],
  ['a client with a keyPrefix', () => ({ redis: clients.prefixed })],
  ['a Cluster', () => ({ redis: clients.cluster })],
])('what is kept in %s', (_name, options) => {
  test.each(KEYS)('is shown of %j', async (key) => {
    const cache = cacheWith(options())
    const lifetime = { ttl: 50_000, staleWhileRevalidate: 1000, staleIfError: 2000, tags: ['of {all}', 'users'] }
    const { memory, redis, ...rest } = await eventually('it is in both tiers', async () => {
      await cache.getOrRefill(key, () => ({ name: 'Ada' }), lifetime) // again: memory is emptied when the inbox opens
      const inspection = await cache.examine(key)
      return inspection.memory && inspection.redis && inspection.lease === undefined ? inspection : undefined
    })
    const expected = { state: 'fresh', staleWhileRevalidate: 1000, staleIfError: 2000, tags: ['of {all}', 'users'] }
    for (const entry of [memory, redis]) {
      expect(entry).toMatchObject(expected)
      expect(entry?.ttl).toBeGreaterThan(0)
      expect(entry?.ttl).toBeLessThanOrEqual(51_000) // the clock is Redis's
    }
    expect(memory?.bytes).toBe('J{"name":"Ada"}'.length)
    expect(redis?.bytes).toBeGreaterThan(64 + 15)
    expect(rest).toEqual({
      key,
      version: undefined,
      state: 'fresh',
      tier: 'memory',
      lease: undefined,
      flight: undefined,
      redisError: undefined,
    })
  })

  test('is not shown when its tag was invalidated, or when it is none of ours', async () => {
    const cache = cacheWith({ ...options(), memory: false, prefix: 'inspect-foreign' })
    await cache.set('tagged', 1, { tags: ['tag'] })
    expect(await cache.examine('tagged')).toMatchObject({ state: 'fresh', tier: 'redis', memory: undefined })
    await cache.invalidateTags('tag')
    expect(await cache.examine('tagged')).toMatchObject({ state: 'absent', tier: undefined, redis: undefined })
    const { redis } = options()
    await redis.set('inspect-foreign:{text}', 'text')
    await redis.sadd('inspect-foreign:{set}', 'member')
    await redis.sadd('inspect-foreign:{set}:lease', 'member')
    expect(await cache.examine('text')).toMatchObject({ state: 'absent', redisError: undefined })
    expect(await cache.examine('set')).toMatchObject({ state: 'absent', lease: undefined, redisError: undefined })
    expect(await allLeases(cache)).toMatchObject({ items: [] })
    await cache.clear()
  })

  test('is shown with all of its tags, however long they are', async () => {
    const cache = cacheWith({ ...options(), memory: false })
    const tags = Array.from({ length: 100 }, (_, i) => `${i} ${'long '.repeat(20)}`)
    await cache.set('key', 'value', { tags })
    expect((await cache.examine('key')).redis).toMatchObject({ state: 'fresh', tags })
  })

  test('has its leases listed, whatever characters the prefix has', async () => {
    const prefix = uniquePrefix('inspect*')
    const cache = cacheWith({ ...options(), prefix })
    const load = gatedLoad<string>()
    const value = cache.getOrRefill('loading', load.loader, { version: 2 })
    await load.started
    for (const key of KEYS) await cache.set(key, 'value')
    const seen = await allLeases(cache)
    expect(seen.items).toMatchObject([{ key: 'loading', version: '2', own: true }])
    expect((await cache.leases(seen)).items).toEqual([{ ...seen.items[0], remaining: expect.any(Number) }])
    load.gate.resolve('value')
    await value
  })
})

describe('leases', () => {
  test.each([
    ['one Redis', () => [clients.redis, clients.other] as const],
    ['a Cluster', () => [clients.cluster, clients.cluster] as const],
  ])('of all processes that share %s are listed while they are held', async (_name, two) => {
    const [first, second] = two()
    const prefix = uniquePrefix('leases')
    const one = cacheWith({ redis: first, prefix })
    const other = cacheWith({ redis: second, prefix })
    const loads = KEYS.map(() => gatedLoad<string>())
    const values = KEYS.map((key, i) => other.getOrRefill(key, (loads[i] as GatedLoad<string>).loader))
    await Promise.all(loads.map((load) => load.started))

    const seen = await allLeases(one)
    expect(seen.items).toHaveLength(KEYS.length)
    const [holder] = seen.items.map((lease) => lease.holder)
    for (const lease of seen.items) {
      expect(lease).toMatchObject({ own: false, holder, waitingProcesses: 0 })
      expect(lease.remaining).toBeGreaterThan(0)
      expect(lease.remaining).toBeLessThanOrEqual(3000)
    }
    expect(seen.items.map(({ key }) => key)).toEqual(expect.arrayContaining(KEYS.slice(0, 4)))
    expect((await allLeases(other)).items.every(({ own }) => own)).toBe(true)

    const waiting = one.getOrRefill('user:1', () => 'never asked')
    await eventually('the second process waits', async () => {
      const { lease, flight } = await one.examine('user:1')
      return lease?.waitingProcesses === 1 && flight?.waiters === 1
    })

    for (const { gate } of loads) gate.resolve('value')
    await Promise.all([...values, waiting])
    await Promise.all([settled(one), settled(other)])
    expect(await one.leases(seen)).toMatchObject({ items: [], complete: true })
  })

  test('that others have set by the recipe of the lock are shown, without their token', async () => {
    const cache = cacheWith({ redis: clients.redis, prefix: 'foreign-leases' })
    await clients.redis.set('foreign-leases:{theirs}:lease', 'secret-token-of-theirs', 'PX', 10_000)
    await clients.redis.set('foreign-leases:{eternal}:lease', 'eternal')
    const { items } = await allLeases(cache)
    expect(items.find(({ key }) => key === 'theirs')).toMatchObject({ holder: 'secret-t…', own: false })
    expect(items.find(({ key }) => key === 'eternal')).toMatchObject({ holder: 'ete…', remaining: undefined })
    await cache.clear()
  })

  test('a process counts once, by whichever of its inboxes it waits', async () => {
    const cache = cacheWith({ redis: clients.redis, prefix: 'waiting' })
    await clients.redis.set('waiting:{key}:lease', 'herdlock:holder:token', 'PX', 10_000)
    await clients.redis.sadd('waiting:{key}:waiters', 'one', '{06S}one', 'another')
    expect((await cache.examine('key')).lease).toMatchObject({ holder: 'holder', waitingProcesses: 2 })
    await cache.clear()
  })

  test('are found piece by piece among many keys, and those of own flights at once', { timeout: 60_000 }, async () => {
    const server = await startRedis()
    const redis = new Redis(server.url)
    stops.push(() => server.stop())
    for (let batch = 0; batch < 12; batch++) {
      const pairs = Array.from({ length: 5000 }, (_, i) => [`other:${batch}:${i}`, ''])
      await redis.mset(...pairs.flat())
    }
    const cache = cacheWith({ redis })
    const load = gatedLoad<string>()
    const value = cache.getOrRefill('key', load.loader)
    await load.started
    const first = await cache.leases()
    expect(first.items).toMatchObject([{ key: 'key', own: true }])
    expect(first.complete).toBe(false)
    const second = await cache.leases(first)
    expect(second).toMatchObject({ items: first.items.map(({ key }) => ({ key })), complete: true })
    load.gate.resolve('value')
    await value
    redis.disconnect()
  })
})

describe('without Redis', () => {
  test('a cache has no method that whatever prints it would call', () => {
    expect(cacheWith({})).not.toHaveProperty('inspect')
  })

  test('memory and flights are shown, and there are no leases', async () => {
    const cache = cacheWith({ memory: { maxEntries: 2 } })
    const load = gatedLoad<string>()
    const abort = new AbortController()
    const values = [1, 2, 3].map(() => cache.getOrRefill('key', load.loader))
    const leaving = cache.getOrRefill('key', load.loader, { signal: abort.signal })
    await load.started
    expect(cache.flights()).toEqual([{ key: 'key', age: expect.any(Number), waiters: 4 }])
    abort.abort()
    await expect(leaving).rejects.toThrow()
    const { flight, state } = await cache.examine('key')
    expect({ flight, state }).toEqual({ flight: { key: 'key', age: expect.any(Number), waiters: 3 }, state: 'absent' })
    expect(flight?.age).toBeLessThan(10_000)
    load.gate.resolve('value')
    await Promise.all(values)
    await settled(cache)
    expect(cache.flights()).toEqual([])
    expect(await cache.examine('key')).toMatchObject({
      state: 'fresh',
      tier: 'memory',
      memory: { bytes: 'J"value"'.length },
    })
    expect(await cache.leases()).toEqual({ items: [], complete: true, position: '' })
  })

  test('looking at a key does not keep it in memory', async () => {
    const cache = cacheWith({ memory: { maxEntries: 2 } })
    await cache.set('first', 1)
    await cache.set('second', 2)
    await cache.examine('first')
    await cache.set('third', 3)
    expect(await cache.examine('first')).toMatchObject({ state: 'absent' })
  })

  test('a mark of an unshareable result is shown', async () => {
    const cache = cacheWith({})
    await cache.getOrRefill('key', (context) => context.doNotShare())
    expect(await cache.examine('key')).toMatchObject({ state: 'unshareable', tier: 'memory' })
  })

  test('a key that is none is refused, and so is a closed cache', async () => {
    const cache = cacheWith({})
    await expect(cache.examine('')).rejects.toThrow('key must be')
    await cache.close()
    await expect(cache.examine('key')).rejects.toThrow('closed')
    await expect(cache.leases()).rejects.toThrow('closed')
  })
})

test('that Redis does not answer is told, beside what memory has', async () => {
  const server = await startRedis()
  const redis = new Redis(server.url)
  redis.on('error', () => {})
  const cache = cacheWith({ redis, commandTimeout: 200 })
  await warmUp(server, cache)
  await cache.set('key', 1)
  await server.stop()
  const { state, redisError } = await cache.examine('key')
  expect(state).toBe('fresh')
  expect(redisError).toBeInstanceOf(Error)
  await expect(cache.leases()).rejects.toThrow()
  redis.disconnect()
})
