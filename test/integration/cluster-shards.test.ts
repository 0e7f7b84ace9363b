import { Cluster } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { Cluster as ValkeyCluster } from 'iovalkey'
import { createCluster } from 'redis'
import { createCluster as createCluster5 } from 'redis5'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import type { RedisClient } from '../../src/lock.ts'
import { gatedLoad } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { startCluster, type RedisCluster } from '../support/redis-cluster.ts'

let cluster: RedisCluster
const ends: (() => unknown)[] = []
beforeAll(async () => void (cluster = await startCluster()), 60_000)
afterAll(() => cluster.stop())
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

type Make = () => RedisClient | Promise<RedisClient>
const ioredisLike = (client: Cluster | Cluster5 | ValkeyCluster): RedisClient => {
  ends.push(() => client.disconnect())
  return client
}
/** What is used of it here: to compare the whole types of both versions takes the compiler minutes. */
interface NodeRedisClusterClient {
  on(event: 'error', listener: () => void): unknown
  connect(): Promise<unknown>
  destroy(): unknown
}
const nodeRedis = async <C extends NodeRedisClusterClient & RedisClient>(client: C): Promise<RedisClient> => {
  client.on('error', () => {})
  await client.connect()
  ends.push(() => client.destroy())
  return client
}
const rootNodes = () => cluster.addresses.map(({ host, port }) => ({ url: `redis://${host}:${port}` }))
const SHARDED: Record<string, Make> = {
  'ioredis 6': () => ioredisLike(new Cluster([...cluster.addresses])),
  'ioredis 6 with a keyPrefix': () => ioredisLike(new Cluster([...cluster.addresses], { keyPrefix: 'app:' })),
  'ioredis 5': () => ioredisLike(new Cluster5([...cluster.addresses])),
  iovalkey: () => ioredisLike(new ValkeyCluster([...cluster.addresses])),
  'node-redis 6': () => nodeRedis(createCluster({ rootNodes: rootNodes() })),
  'node-redis 5': () => nodeRedis(createCluster5({ rootNodes: rootNodes() })),
}

let prefixes = 0
async function twoCaches(make: Make): Promise<[Cache, Cache]> {
  const prefix = `shards${prefixes++}`
  const caches = [await make(), await make()].map((redis) => createCache({ ttl: 60_000, redis, prefix, memory: false }))
  ends.push(...caches.map((cache) => () => cache.close()))
  return caches as [Cache, Cache]
}

/** Messages that the masters have published on the bus of the Cluster, so far. */
async function published(): Promise<number> {
  const infos = await Promise.all((await cluster.masters()).map((master) => master.command('CLUSTER', 'INFO')))
  return infos.reduce<number>(
    (sum, info) => sum + Number(/messages_publish_sent:(\d+)/.exec(String(info))?.[1] ?? 0),
    0,
  )
}

/** Channels of its shard that somebody listens to, for each master. */
async function channelsByShard(): Promise<string[][]> {
  const masters = await cluster.masters()
  const replies = await Promise.all(masters.map((master) => master.command('PUBSUB', 'SHARDCHANNELS')))
  return replies.map((reply) => (reply as unknown[]).map(String))
}

/** The same over all masters. */
const shardChannels = async (): Promise<string[]> => (await channelsByShard()).flat()

/** Whether somebody listens to each shard. Either process may have had to wait there, or both. */
async function areAllHeard(): Promise<boolean> {
  const shards = await channelsByShard()
  return shards.length === 3 && shards.every((channels) => channels.length > 0)
}

/** All keys at once: one cache loads, the other waits for it, and both get what was loaded. */
async function herd([one, other]: [Cache, Cache], round: number): Promise<void> {
  const loads = Array.from({ length: 30 }, (_, index) => ({
    key: `key ${index} of ${round}`,
    load: gatedLoad<number>(),
  }))
  const led = loads.map(({ key, load }) => one.getOrRefill(key, load.loader))
  await Promise.all(loads.map(({ load }) => load.started))
  const before = other.stats().misses
  const waited = loads.map(({ key }) => other.getOrRefill(key, () => -1))
  await eventually('all wait', () => other.stats().misses === before + loads.length)
  for (const { load } of loads) load.gate.resolve(round)
  expect(new Set(await Promise.all([...led, ...waited]))).toEqual(new Set([round]))
}

describe.each(Object.entries(SHARDED))('%s', (_name, make) => {
  test('results come by the shard of their key once each was waited for, and nothing of them goes over the bus', async () => {
    const caches = await twoCaches(make)
    await herd(caches, 1)
    await eventually('each shard is listened to', async () => (await shardChannels()).length === 3)
    await herd(caches, 2)
    await eventually('nobody listens for the first time', async () => {
      const before = await published()
      await herd(caches, 3)
      return (await published()) - before <= 0
    })
  })

  test('a connection that is lost is opened anew, and meanwhile results arrive all the same', async () => {
    const caches = await twoCaches(make)
    await herd(caches, 1)
    await eventually('each shard is listened to', async () => (await shardChannels()).length === 3)
    for (const master of await cluster.masters()) await master.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await herd(caches, 2)
    await eventually('each shard is listened to again', async () => {
      await herd(caches, 3 + performance.now())
      return (await shardChannels()).length === 3
    })
  })
})

test.each(['+spublish', '+ssubscribe'])('a user without %s gets results as ever', async (right) => {
  const rules = ['on', '>secret', '~*', '&*', '+@all', right.replace('+', '-')]
  for (const master of await cluster.masters()) await master.command('ACL', 'SETUSER', 'limited', 'reset', ...rules)
  const redisOptions = { username: 'limited', password: 'secret' }
  const caches = await twoCaches(() => ioredisLike(new Cluster([...cluster.addresses], { redisOptions })))
  await herd(caches, 1)
  await herd(caches, 2)
  await eventually('no shard is listened to', async () => (await shardChannels()).length === 0)
  const startedAt = performance.now()
  await herd(caches, 3)
  expect(performance.now() - startedAt).toBeLessThan(2500) // the leases' ttl is longer
})

test('when a master dies its shard is heard at its successor', async () => {
  const caches = await twoCaches(() => ioredisLike(new Cluster([...cluster.addresses])))
  await herd(caches, 1)
  await eventually('each shard is listened to', areAllHeard)
  const master = await cluster.masterOf('any')
  await master.kill()
  await eventually(
    'each shard is listened to again',
    async () => {
      for (let key = 0; key < 10; key++) {
        const value = `${performance.now()}`
        expect(await Promise.all(caches.map((cache) => cache.getOrRefill(value, () => value)))).toEqual([value, value])
      }
      return areAllHeard()
    },
    // Until the failover each key of that master waits for a command's deadline.
    { within: 60_000, every: 50 },
  )
}, 70_000)
