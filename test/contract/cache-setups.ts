import { type GlideClient, type GlideClusterClient, ProtocolVersion } from '@valkey/valkey-glide'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { Redis as Valkey } from 'iovalkey'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import * as redis5 from 'redis5'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { createCache } from '../../src/cache/create-cache.ts'
import type { Cache } from '../../src/cache/cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import type { RedisClient } from '../../src/redis/clients/port-of.ts'
import { pathInto, readable } from '../../src/redis/entry-keys.ts'
import { eventually } from '../support/eventually.ts'
import { connectGlide, connectGlideCluster } from '../support/glide-clients.ts'
import { startCluster } from '../support/redis-cluster.ts'
import { startSentinel } from '../support/redis-sentinel.ts'
import { startRedis } from '../support/redis-server.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'

/** What a cache may stand on. `namespace`: the suite runs on a view of it. */
export interface Setup {
  readonly name: string
  readonly options: () => Partial<CacheOptions>
  readonly namespace?: boolean
}

/** Filled before the first test: the suites below are named before there are servers. */
const clients = {} as {
  redis6: Redis
  redis5: Redis5
  second: Redis
  prefixed: Redis
  cluster: Cluster
  sentinel: Redis
  valkey: Valkey
}
/** Those of node-redis. With their own types the compiler would compare them with each other for minutes. */
const nodeRedis = {} as Record<NodeRedisName, RedisClient & { connect(): Promise<unknown>; destroy(): unknown }>
type NodeRedisName =
  | 'version6'
  | 'version5'
  | 'protocol2'
  | 'prefixed'
  | 'cluster'
  | 'cluster5'
  | 'sentinel'
  | 'sentinel5'
  | 'pool'
  | 'pool5'
const glide = {} as { resp3: GlideClient; resp2: GlideClient; cluster: GlideClusterClient }
const stops: (() => unknown)[] = []

beforeAll(async () => {
  const [second, cluster, sentinel] = await Promise.all([startRedis(), startCluster(), startSentinel()])
  clients.redis6 = new Redis(sharedRedis().url)
  clients.redis5 = new Redis5(sharedRedis().url)
  clients.valkey = new Valkey(sharedRedis().url)
  clients.prefixed = new Redis(sharedRedis().url, { keyPrefix: 'app:' })
  clients.second = new Redis(second.url)
  clients.cluster = new Cluster([...cluster.addresses])
  clients.sentinel = new Redis({ sentinels: [...sentinel.addresses], name: sentinel.name })
  const { url } = sharedRedis()
  nodeRedis.version6 = createClient({ url })
  nodeRedis.version5 = redis5.createClient({ url })
  nodeRedis.protocol2 = createClient({ url, RESP: 2 })
  nodeRedis.prefixed = createClient({ url, keyPrefix: 'app:' })
  const rootNodes = cluster.addresses.map(({ host, port }) => ({ url: `redis://${host}:${port}` }))
  nodeRedis.cluster = createCluster({ rootNodes, keyPrefix: 'app:' })
  nodeRedis.cluster5 = redis5.createCluster({ rootNodes })
  const watched = { name: sentinel.name, sentinelRootNodes: [...sentinel.addresses] }
  nodeRedis.sentinel = createSentinel({ ...watched, masterPoolSize: 3 })
  nodeRedis.sentinel5 = redis5.createSentinel(watched)
  nodeRedis.pool = createClientPool({ url })
  nodeRedis.pool5 = redis5.createClientPool({ url }, { maximum: 1 })
  await Promise.all(Object.values(nodeRedis).map((client) => client.connect()))
  glide.resp3 = await connectGlide(sharedRedis())
  glide.resp2 = await connectGlide(sharedRedis(), { protocol: ProtocolVersion.RESP2 })
  glide.cluster = await connectGlideCluster(cluster.addresses)
  stops.push(
    () => second.stop(),
    () => cluster.stop(),
    () => sentinel.stop(),
  )
}, 60_000)
afterAll(async () => {
  for (const client of Object.values(clients)) client.disconnect()
  for (const client of Object.values(nodeRedis)) await client.destroy()
  for (const client of Object.values(glide)) client.close()
  await Promise.all(stops.map((stop) => stop()))
})

export const setups: Setup[] = [
  { name: 'memory alone', options: () => ({}) },
  { name: 'memory and Redis (ioredis 6)', options: () => ({ redis: clients.redis6 }) },
  {
    name: 'memory that hears of what it holds, and Redis',
    options: () => ({ redis: clients.redis6, memory: { messages: 'held' } }),
  },
  { name: 'memory and Redis (ioredis 5)', options: () => ({ redis: clients.redis5 }) },
  { name: 'memory and Redis (iovalkey)', options: () => ({ redis: clients.valkey }) },
  { name: 'memory and Redis (node-redis 6)', options: () => ({ redis: nodeRedis.version6 }) },
  { name: 'memory and Redis (node-redis 5)', options: () => ({ redis: nodeRedis.version5 }) },
  { name: 'Redis alone (node-redis 6, RESP 2)', options: () => ({ redis: nodeRedis.protocol2, memory: false }) },
  {
    name: 'Redis alone (node-redis 6 with a keyPrefix)',
    options: () => ({ redis: nodeRedis.prefixed, memory: false }),
  },
  { name: 'memory and Redis (GLIDE)', options: () => ({ redis: glide.resp3 }) },
  { name: 'Redis alone (GLIDE, RESP 2)', options: () => ({ redis: glide.resp2, memory: false }) },
  { name: 'a Cluster, without memory (GLIDE)', options: () => ({ redis: glide.cluster, memory: false }) },
  {
    name: 'a Cluster (node-redis 6 with a keyPrefix), without memory',
    options: () => ({ redis: nodeRedis.cluster, memory: false }),
  },
  { name: 'memory and a Cluster (node-redis 5)', options: () => ({ redis: nodeRedis.cluster5 }) },
  {
    name: 'Sentinel (node-redis 6 with three clients), without memory',
    options: () => ({ redis: nodeRedis.sentinel, memory: false }),
  },
  { name: 'memory and Sentinel (node-redis 5)', options: () => ({ redis: nodeRedis.sentinel5 }) },
  { name: 'a pool (node-redis 6), without memory', options: () => ({ redis: nodeRedis.pool, memory: false }) },
  { name: 'memory and a pool of one (node-redis 5)', options: () => ({ redis: nodeRedis.pool5 }) },
  { name: 'Redis alone', options: () => ({ redis: clients.redis6, memory: false }) },
  { name: 'Redis alone, its client with a keyPrefix', options: () => ({ redis: clients.prefixed, memory: false }) },
  {
    name: 'two Redis instances, without memory',
    options: () => ({ redis: [clients.redis6, clients.second], memory: false }),
  },
  { name: 'a Cluster, without memory', options: () => ({ redis: clients.cluster, memory: false }) },
  { name: 'Sentinel, without memory', options: () => ({ redis: clients.sentinel, memory: false }) },
  { name: 'a namespace in memory alone', options: () => ({}), namespace: true },
  { name: 'a namespace in memory and Redis', options: () => ({ redis: clients.redis6 }), namespace: true },
  { name: 'a namespace in Redis alone', options: () => ({ redis: clients.redis6, memory: false }), namespace: true },
  {
    name: 'a namespace with tracking',
    options: () => ({ redis: clients.redis6, memory: { tracking: true } }),
    namespace: true,
  },
  {
    name: 'a namespace in two Redis instances',
    options: () => ({ redis: [clients.redis6, clients.second], memory: false }),
    namespace: true,
  },
  { name: 'a namespace in a Cluster', options: () => ({ redis: clients.cluster, memory: false }), namespace: true },
]

const NAMESPACES = ['a%/{b}', 'ü']

/** How a key of those caches stands in Redis, between braces. */
export function formIn({ namespace }: Setup, key: string): string {
  return (namespace ? NAMESPACES : []).reduce(pathInto, '') + readable(key)
}

/**
 * Makes caches that stand on it and are closed when the present test is over. `wholes` are the caches themselves, where the
 * suite runs on namespaces. To be called by a suite.
 */
export function cachesOn({ options, namespace }: Setup): {
  cacheWith: (more?: Partial<CacheOptions>) => Cache
  wholes: readonly Cache[]
} {
  const wholes: Cache[] = []
  afterEach(async () => {
    await Promise.all(wholes.splice(0).map((cache) => cache.close()))
  })
  function cacheWith(more: Partial<CacheOptions> = {}): Cache {
    const cache = createCache({ ttl: 60_000, prefix: uniquePrefix('cache'), ...options(), ...more })
    wholes.push(cache)
    return namespace ? NAMESPACES.reduce((view, name) => view.namespace(name), cache) : cache
  }
  return { cacheWith, wholes }
}

/** A loader that counts its runs. */
export function counter<V>(value: (n: number) => V): { loader: () => V; readonly runs: number } {
  let runs = 0
  return {
    loader: () => value(++runs),
    get runs() {
      return runs
    },
  }
}

/** Resolves when nothing is under way in the cache: what was loaded is stored. */
export async function settled(cache: Cache): Promise<void> {
  while (cache.stats().flights > 0) await new Promise((resolve) => setImmediate(resolve))
}

/** Resolves when those that share a Redis hear of each other: at that moment whoever has asked before is joined no more. */
export async function hearEachOther(caches: readonly Cache[]): Promise<void> {
  await Promise.all(caches.map((cache) => cache.getOrRefill('before', () => 1)))
  const areUp = (): boolean =>
    caches.every((cache) => cache.stats().redis.every(({ messages }) => messages === 'connected'))
  await eventually('they hear of each other', areUp, { every: 2 })
}

/**
 * Resolves when they hear of changes of that key, if they hear only of what they hold: at that moment whoever has asked for
 * the key before is joined no more. Leaves nothing.
 */
export async function hearOf(key: string, caches: readonly Cache[], { options }: Setup): Promise<void> {
  const { memory } = options()
  if (typeof memory !== 'object' || memory.messages !== 'held') return
  await Promise.all(caches.map((cache) => cache.getOrRefill(key, () => 'heard')))
  await Promise.all(caches.map(settled))
  await caches[0]?.invalidate(key)
  await eventually('they hear of it', () => caches.every((cache) => cache.peek(key) === undefined), { every: 2 })
}

/** Lets `ms` of an entry's ttl pass, on the clocks of both sides: there is nothing to be awaited but time itself. */
export function expired(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms + 5))
}
