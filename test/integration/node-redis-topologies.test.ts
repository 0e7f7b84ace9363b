import { Cluster, Redis } from 'ioredis'
import * as redis6 from 'redis'
import * as redis5 from 'redis5'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { Locker, type RedisClient } from '../../src/lock.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { startCluster } from '../support/redis-cluster.ts'
import { startSentinel } from '../support/redis-sentinel.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'

const VERSIONS = { 6: redis6, 5: redis5 as unknown as typeof redis6 }
const FAILOVER = { within: 20_000, every: 50 }

interface OwnClient {
  readonly isOpen: boolean
  on(event: 'error', listener: () => void): unknown
  connect(): Promise<unknown>
  close(): unknown
}

/** A client that is connected, and gone when its test has ended. */
async function connected<C extends OwnClient>(client: C): Promise<C> {
  client.on('error', () => {}) // it would end the process
  await client.connect()
  onTestFinished(async () => void (client.isOpen && (await client.close())))
  return client
}

function cacheOn(redis: RedisClient, prefix: string): { cache: Cache; errors: unknown[] } {
  const cache = createCache({ ttl: 60_000, commandTimeout: 500, redis, prefix })
  const errors: unknown[] = []
  cache.on('error', ({ error }) => errors.push(error))
  onTestFinished(() => cache.close())
  return { cache, errors }
}

/** Values come all the time, and in the end what one cache stores the other finds, and hears when it changes. */
async function comeTogether(one: Cache, other: Cache): Promise<void> {
  let asked = 0
  await eventually(
    'they share',
    async () => {
      const key = `key ${asked++}`
      expect(await one.getOrRefill(key, () => key)).toBe(key)
      await one.set(key, 'stored').catch(() => {})
      return (await other.getOrRefill(key, () => 'not found')) === 'stored'
    },
    FAILOVER,
  )
  await eventually(
    'they hear of each other',
    async () => {
      await one.set('told', asked)
      await other.getOrRefill('told', () => 0)
      await one.set('told', ++asked)
      return (await other.getOrRefill('told', () => 0)) === asked
    },
    FAILOVER,
  )
}

describe.each(Object.entries(VERSIONS))('node-redis %s', (version, redis) => {
  test('a Cluster is shared with ioredis, and goes on after the death of a master', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.stop())
    const rootNodes = cluster.addresses.map(({ host, port }) => ({ url: `redis://${host}:${port}` }))
    const client = await connected(redis.createCluster({ rootNodes }))
    const ioredis = new Cluster([...cluster.addresses])
    onTestFinished(() => ioredis.disconnect())
    const prefix = uniquePrefix('cluster')
    const [{ cache: one }, { cache: other }] = [cacheOn(client, prefix), cacheOn(ioredis, prefix)]
    await comeTogether(one, other)
    await comeTogether(other, one)
    const keys = Array.from({ length: 100 }, (_, index) => `many ${index}`)
    await one.getOrRefillMany(keys, (missing) => new Map(missing.map((key) => [key, key])))
    await one.clear()
    await eventually('all nodes are cleared', async () => {
      const left = await Promise.all(keys.map((key) => other.get(key)))
      return left.every((value) => value === undefined)
    })
    // Version 5 asks the dead node for its key's slot for ever.
    if (version === '5') return
    await (await cluster.masterOf('key 0')).kill()
    await comeTogether(one, other)
  })

  test('Sentinels: values all the time, sharing with ioredis before and after a failover, a lock in between', async () => {
    const sentinels = await startSentinel()
    onTestFinished(() => sentinels.stop())
    const { name, addresses } = sentinels
    const client = await connected(redis.createSentinel({ name, sentinelRootNodes: [...addresses] }))
    const ioredis = new Redis({ sentinels: [...addresses], name })
    onTestFinished(() => ioredis.disconnect())
    const prefix = uniquePrefix('sentinel')
    const [{ cache: one }, { cache: other }] = [cacheOn(client, prefix), cacheOn(ioredis, prefix)]
    await comeTogether(one, other)
    await (await sentinels.master()).kill()
    await comeTogether(one, other)
    await comeTogether(other, one)
    const locker = new Locker({ clients: client })
    onTestFinished(() => locker.close())
    await (await locker.acquire(uniquePrefix('lock'), 5000)).release()
  })

  test('a pool whose clients are all taken: values without Redis, and with it when one is free', async () => {
    const { url } = sharedRedis()
    const pool = await connected(redis.createClientPool({ url }, { maximum: 1, acquireTimeout: 100 }))
    const prefix = uniquePrefix('pool')
    const { cache, errors } = cacheOn(pool, prefix)
    await cache.getOrRefill('before', () => 1)
    const [isTaken, isFree] = [deferred(), deferred()]
    const taken = pool.execute(() => {
      isTaken.resolve()
      return isFree.promise
    })
    onTestFinished(() => isFree.resolve())
    await isTaken.promise
    expect(await cache.getOrRefill('meanwhile', () => 2)).toBe(2)
    expect(errors.length).toBeGreaterThan(0)
    isFree.resolve()
    await taken
    const ioredis = new Redis(url)
    onTestFinished(() => ioredis.disconnect())
    const { cache: other } = cacheOn(ioredis, prefix)
    await comeTogether(cache, other)
    await comeTogether(other, cache)
  })

  test('a pool leaves its clients to others between herdlock’s own commands', async () => {
    const pool = await connected(redis.createClientPool({ url: sharedRedis().url }, { maximum: 1 }))
    const { cache } = cacheOn(pool, uniquePrefix('pool'))
    let isOver = false
    const traffic = async (): Promise<void> => {
      for (let n = 0; !isOver; n++) await Promise.all([cache.set(`a${n}`, n), cache.get(`b${n}`)])
    }
    const under = [traffic(), traffic(), traffic()]
    for (let n = 0; n < 10; n++) expect(await pool.ping()).toBe('PONG')
    isOver = true
    await Promise.all(under)
  })

  test('a pool whose url names a database says that it must be an option', async () => {
    const pool = await connected(redis.createClientPool({ url: `${sharedRedis().url}/3` }))
    const { cache, errors } = cacheOn(pool, uniquePrefix('pool'))
    expect(await cache.getOrRefill('key', () => 'loaded')).toBe('loaded')
    expect(String(errors[0])).toMatch(/option `database`, not by its url, received 3/)
  })
})
