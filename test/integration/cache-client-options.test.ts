import { Redis, type Cluster, type RedisOptions } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import { ioredis } from '../contract/libraries.ts'
import { settled } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { expectFullService } from '../support/full-service.ts'
import { startCluster, type RedisCluster } from '../support/redis-cluster.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { uniquePrefix } from '../support/shared-redis.ts'

let server: RedisServer
let cluster: RedisCluster
beforeAll(async () => {
  ;[server, cluster] = await Promise.all([startRedis(), startCluster()])
}, 60_000)
afterAll(() => Promise.all([server.stop(), cluster.stop()]))

type Client = Redis | Cluster

function redis(options: RedisOptions = {}, version: 5 | 6 = 6): Redis {
  const client = new (ioredis(version).Redis)({ host: server.host, port: server.port, ...options } as object)
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  return client
}

function clusterClient(options: object = {}, version: 5 | 6 = 6): Cluster {
  const client = new (ioredis(version).Cluster)(cluster.addresses, options)
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  return client
}

function cacheOn(client: Client, options: Partial<CacheOptions> = {}): { cache: Cache; errors: unknown[] } {
  const cache = createCache({ ttl: 60_000, redis: client, memory: false, ...options })
  const errors: unknown[] = []
  cache.on('error', ({ error }) => errors.push(error))
  onTestFinished(cache.close)
  return { cache, errors }
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

/** The Redis in which `client` finds the key. */
async function nodeOf(client: Client, key: string): Promise<RedisServer> {
  return client.isCluster ? cluster.masterOf(key) : server
}

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

test.each<[string, (options: RedisOptions) => Client]>([
  ['a single client', redis],
  ['a Cluster’s client', (redisOptions) => clusterClient({ redisOptions })],
])('%s that gives up before we do: what it has told to have failed is not done later', async (_what, connect) => {
  const prefix = uniquePrefix('late')
  const [hasty, patient] = [{ commandTimeout: 100 }, {}].map((options) => cacheOn(connect(options), { prefix }).cache)
  await eventually('it is connected', () =>
    hasty?.set('key', 'old').then(
      () => true,
      () => false,
    ),
  )
  const node = await nodeOf(connect({}), `${prefix}:{key}`)
  node.pause()
  onTestFinished(() => node.resume())
  await expect(hasty?.set('key', 'late')).rejects.toThrow(/timed out|did not answer/)
  node.resume()
  await node.command('PING') // what was sent before has been carried out
  expect(await patient?.get('key')).toBe('old')
})

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
