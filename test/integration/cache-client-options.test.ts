import { Redis, type Cluster, type RedisOptions } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import { Locker } from '../../src/lock/locker.ts'
import { ioredis } from '../contract/libraries.ts'
import { settled } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { startCluster, type RedisCluster } from '../support/redis-cluster.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { uniquePrefix } from '../support/shared-redis.ts'

let server: RedisServer
let cluster: RedisCluster
beforeAll(async () => {
  ;[server, cluster] = await Promise.all([startRedis(), startCluster()])
}, 60_000)
afterAll(() => Promise.all([server.stop(), cluster.stop()]))

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

type Client = Redis | Cluster

function redis(options: RedisOptions = {}, version: 5 | 6 = 6): Redis {
  const client = new (ioredis(version).Redis)({ host: server.host, port: server.port, ...options } as object)
  client.on('error', () => {})
  ends.push(() => client.disconnect())
  return client
}

function clusterClient(options: object = {}, version: 5 | 6 = 6): Cluster {
  const client = new (ioredis(version).Cluster)(cluster.addresses, options)
  client.on('error', () => {})
  ends.push(() => client.disconnect())
  return client
}

function cacheOn(client: Client, options: Partial<CacheOptions> = {}): { cache: Cache; errors: unknown[] } {
  const cache = createCache({ ttl: 60_000, redis: client, memory: false, ...options })
  const errors: unknown[] = []
  cache.on('error', ({ error }) => errors.push(error))
  ends.push(cache.close)
  return { cache, errors }
}

/** Everything that goes through Redis, by two clients of the same kind: what one does the other finds. */
async function expectFullService(connect: () => Client): Promise<void> {
  const prefix = uniquePrefix('options')
  const [one, other] = [cacheOn(connect(), { prefix }), cacheOn(connect(), { prefix })]
  const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`)
  const load = (key: string) => (): string => `loaded ${key}`
  // Again and again, so that hits become the rule and plain reads go ahead.
  for (let round = 0; round < 4; round++) {
    const values = await Promise.all(keys.map((key) => one.cache.getOrRefill(key, load(key))))
    expect(values).toEqual(keys.map((key) => `loaded ${key}`))
    await settled(one.cache)
  }
  const found = await Promise.all(keys.map((key) => other.cache.getOrRefill(key, () => 'loaded again')))
  expect(found).toEqual(keys.map((key) => `loaded ${key}`))

  await one.cache.set('key 1', Buffer.from([0, 255, 128]), { tags: ['tag'] })
  expect(await other.cache.get('key 1')).toEqual(Buffer.from([0, 255, 128]))
  await other.cache.invalidateTags('tag')
  expect(await one.cache.get('key 1')).toBeUndefined()
  await one.cache.invalidate('key 2')
  expect(await other.cache.get('key 2')).toBeUndefined()

  await eventually('messages arrive', () => other.cache.stats().redis[0]?.messages === 'connected')
  const led = one.cache.getOrRefill('led', () => new Promise((resolve) => setTimeout(resolve, 50, 'led')))
  await eventually('it is led', () => one.cache.stats().flights === 1)
  expect(await other.cache.getOrRefill('led', () => 'own')).toBe('led')
  expect(await led).toBe('led')

  const [lockerA, lockerB] = [new Locker({ clients: connect() }), new Locker({ clients: connect() })]
  ends.push(() => Promise.all([lockerA.close(), lockerB.close()]))
  const lock = await lockerA.acquire(prefix, 10_000)
  const next = lockerB.acquire(prefix, 10_000, { fencing: true })
  await lock.release()
  await (await next).release()
  expect(await (await lockerA.tryAcquire(prefix, 1000)).ttl()).toBeGreaterThan(0)

  await one.cache.clear()
  expect(await other.cache.get('key 3')).toBeUndefined()
  expect([...one.errors, ...other.errors]).toEqual([])
}

describe.each([5, 6] as const)('ioredis %i: full service through a client', (version) => {
  test.each<[string, RedisOptions]>([
    ['with automatic pipelines', { enableAutoPipelining: true }],
    ['with automatic pipelines and a keyPrefix', { enableAutoPipelining: true, keyPrefix: 'app:' }],
    ['with a keyPrefix of special characters', { keyPrefix: 'a*[b]%{' }],
    ['of another database', { db: 3 }],
    ['that connects late', { lazyConnect: true }],
    ['without an offline queue', { enableOfflineQueue: false }],
    ['that connects late, without an offline queue', { lazyConnect: true, enableOfflineQueue: false }],
    ['with friendly stacks', { showFriendlyErrorStack: true }],
    ['with numbers as strings', { stringNumbers: true }],
    ['with protocol 2', { protocol: 2 }],
    ['with replies in the shapes of protocol 3', { protocol: 3, replyMapping: 'resp3' }],
    ['with a keyPrefix of bytes', { keyPrefix: Buffer.from('app:') as unknown as string }],
    ['with a name and short timeouts', { connectionName: 'mine', commandTimeout: 5000, socketTimeout: 1500 }],
    ['that reconnects on errors', { reconnectOnError: () => true }],
    ['that gives up at once', { maxRetriesPerRequest: 0, retryStrategy: () => null }],
  ])('%s', async (_what, options) => {
    await expectFullService(() => redis(options, version))
  })

  test.each<[string, object]>([
    ['with automatic pipelines', { enableAutoPipelining: true }],
    ['with automatic pipelines, reading from replicas', { enableAutoPipelining: true, scaleReads: 'slave' }],
    ['that reads from replicas', { scaleReads: 'slave' }],
    ['that reads from all nodes', { scaleReads: 'all' }],
    ['that chooses where to read', { scaleReads: (nodes: Redis[]) => nodes.at(-1) }],
    ['with a keyPrefix', { keyPrefix: 'app:' }],
    ['with the keyPrefix among its nodes’ options', { redisOptions: { keyPrefix: 'app:' } }],
    ['that connects late', { lazyConnect: true }],
    ['that connects late, without an offline queue', { lazyConnect: true, enableOfflineQueue: false }],
    ['without an offline queue', { enableOfflineQueue: false }],
    ['with replies in the shapes of protocol 3', { redisOptions: { protocol: 3, replyMapping: 'resp3' } }],
  ])('of a Cluster, %s', async (_what, options) => {
    await expectFullService(() => clusterClient(options, version))
  })
})

test('nothing is read from a replica, which may lag: as if none answered', async () => {
  const prefix = uniquePrefix('lag')
  const client = clusterClient({ scaleReads: 'slave', slotsRefreshInterval: 100 })
  await eventually('it knows the replicas', () => client.nodes('slave').length === 3)
  const { cache, errors } = cacheOn(client, { prefix })
  for (const key of ['set', 'invalidated', 'tagged']) await cache.set(key, 'old', { tags: [key] })
  for (let round = 0; round < 150; round++) await cache.getOrRefill('set', () => 'loaded') // hits are the rule
  await eventually('replicas have it', async () => (await onReplica(`${prefix}:{set}`)) !== null)
  const replicas = cluster.nodes.filter((node) => !masterPorts.has(node.port))
  for (const replica of replicas) replica.pause()
  onTestFinished(() => replicas.forEach((replica) => replica.resume()))
  await cache.set('set', 'new')
  await cache.invalidate('invalidated')
  await cache.invalidateTags('tagged')
  expect(await cache.get('set')).toBe('new')
  expect(await cache.getOrRefill('set', () => 'loaded')).toBe('new')
  expect(await cache.get('invalidated')).toBeUndefined()
  expect(await cache.getOrRefill('tagged', () => 'loaded')).toBe('loaded')
  expect(errors).toEqual([])
})

const masterPorts = new Set<number>()

async function onReplica(key: string): Promise<unknown> {
  for (const { port } of await cluster.masters()) masterPorts.add(port)
  for (const node of cluster.nodes) {
    if (masterPorts.has(node.port)) continue
    const client = new Redis({ host: node.host, port: node.port, readOnly: true })
    const value = await client.get(key).catch(() => null)
    client.disconnect()
    if (value !== null) return value
  }
  return null
}

describe('what is done in one database, or under one keyPrefix', () => {
  test.each<[string, RedisOptions, RedisOptions]>([
    ['database', { db: 0 }, { db: 1 }],
    ['keyPrefix', { keyPrefix: 'prod:' }, { keyPrefix: 'staging:' }],
    ['keyPrefix or none', {}, { keyPrefix: 'x' }],
  ])('leaves the memory of another %s alone, and reaches that of its own', async (_what, mine, theirs) => {
    const prefix = uniquePrefix('channel')
    const memory = {}
    const caches = [mine, mine, theirs].map((options) => cacheOn(redis(options), { prefix, memory }).cache)
    const [one, same, another] = caches as [Cache, Cache, Cache]
    for (const cache of caches) {
      await cache.getOrRefill('warm', () => 1)
      await eventually('messages arrive', () => cache.stats().redis[0]?.messages === 'connected')
    }
    const changes: (() => Promise<void>)[] = [
      () => one.clear(),
      () => one.set('key', 'set'),
      () => one.invalidate('key'),
      () => one.invalidateTags('tag'),
    ]
    for (const change of changes) {
      for (const cache of [same, another]) {
        await cache.getOrRefill('key', () => 'old', { tags: ['tag'] })
        await settled(cache)
      }
      await change()
      await eventually('its own has heard', () => same.peek('key') === undefined)
      expect(another.peek('key')).toBe('old')
    }
  })
})
