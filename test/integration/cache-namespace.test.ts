import { Cluster, Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { cacheLab, gatedLoad, settled } from '../support/cache-lab.ts'
import { startCacheProcesses, type CacheProcess } from '../support/cache-process.ts'
import { eventually } from '../support/eventually.ts'
import { startCluster } from '../support/redis-cluster.ts'
import { startRedis } from '../support/redis-server.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'

/** Filled before the first test. */
const urls = {} as { second: string; cluster: readonly { host: string; port: number }[] }
const stops: (() => unknown)[] = []
beforeAll(async () => {
  const [second, cluster] = await Promise.all([startRedis(), startCluster()])
  urls.second = second.url
  urls.cluster = cluster.addresses
  stops.push(
    () => second.stop(),
    () => cluster.stop(),
  )
}, 60_000)
afterAll(() => Promise.all(stops.map((stop) => stop())))

type Client = Redis | Cluster
describe.each<[string, () => Client[]]>([
  ['one Redis', () => [new Redis(sharedRedis().url)]],
  ['two Redis instances', () => [new Redis(sharedRedis().url), new Redis(urls.second)]],
  ['a Cluster', () => [new Cluster([...urls.cluster])]],
])('namespaces of two caches on %s', (_name, connect) => {
  let a: Cache
  let b: Cache
  let clients: Client[]
  /** Has no memory: it sees what is in Redis. */
  let cold: Cache
  beforeEach(async () => {
    const prefix = uniquePrefix('namespace')
    clients = []
    const open = (memory?: false): Cache => {
      const own = connect()
      clients.push(...own)
      return createCache({ ttl: 60_000, prefix, redis: own, memory })
    }
    ;[a, b, cold] = [open(), open(), open(false)]
    for (const cache of [a, b]) {
      await eventually('its inboxes are open', async () => {
        await cache.getOrRefill('warm-up', () => 1)
        return cache.stats().redis.every(({ messages }) => messages === 'connected')
      })
    }
  })
  afterEach(async () => {
    await Promise.all([a, b, cold].map((cache) => cache.close()))
    for (const client of clients) client.disconnect()
  })

  const placesOf = (cache: Cache): Cache[] => [
    cache.namespace('users'),
    cache.namespace('users').namespace('{1}'),
    cache.namespace('users2'),
    cache,
  ]
  async function fill(): Promise<void> {
    for (const place of placesOf(a)) await place.set('key', 'old', { tags: ['tag'] })
    for (const place of placesOf(b)) await place.getOrRefill('key', () => 'loaded again')
    await settled(b)
  }
  /** What the other has in memory once it has heard, and what is in Redis. */
  async function expectLeft(left: (string | undefined)[]): Promise<void> {
    await eventually('the other has heard', () =>
      placesOf(b).every((place, i) => left[i] !== undefined || place.peek('key') === undefined),
    )
    const found = await Promise.all(placesOf(cold).map((place) => place.get('key')))
    expect(found).toEqual(left)
  }

  test.each<[string, (cache: Cache) => Promise<void>, (string | undefined)[]]>([
    ['clear', (cache) => cache.namespace('users').clear(), [undefined, undefined, 'old', 'old']],
    [
      'clear of one inside',
      (cache) => cache.namespace('users').namespace('{1}').clear(),
      ['old', undefined, 'old', 'old'],
    ],
    ['clear of the whole', (cache) => cache.clear(), [undefined, undefined, undefined, undefined]],
    ['invalidate', (cache) => cache.namespace('users').invalidate('key'), [undefined, 'old', 'old', 'old']],
    ['invalidateTags', (cache) => cache.namespace('users').invalidateTags('tag'), [undefined, 'old', 'old', 'old']],
    ['invalidateTags of the whole', (cache) => cache.invalidateTags('tag'), ['old', 'old', 'old', undefined]],
    ['set', (cache) => cache.namespace('users').set('key', 'new'), ['new', 'old', 'old', 'old']],
  ])('%s reaches what it should in the other, and nothing else', async (name, change, left) => {
    await fill()
    await change(a)
    if (name !== 'set') return expectLeft(left)
    await eventually('the other has dropped it', () => b.namespace('users').peek('key') === undefined)
    expect(await b.namespace('users').get('key')).toBe('new')
  })

  test('clear ends a load in the other that began before it, and no other load', async () => {
    const [cleared, kept] = [gatedLoad<string>(), gatedLoad<string>()]
    const loading = [b.namespace('users').getOrRefill('k', cleared.loader), b.getOrRefill('k', kept.loader)]
    await Promise.all([cleared.started, kept.started])
    await a.namespace('users').clear()
    cleared.gate.resolve('before')
    kept.gate.resolve('before')
    expect(await Promise.all(loading)).toEqual(['before', 'before'])
    await settled(b)
    expect([await a.namespace('users').get('k'), await a.get('k')]).toEqual([undefined, 'before'])
  })

  test('a long name and a long key work like short ones', async () => {
    const [long, other] = [a.namespace('x'.repeat(500)), a.namespace('x'.repeat(501))]
    await long.set('k'.repeat(500), 1)
    await other.set('k'.repeat(500), 2)
    expect(await b.namespace('x'.repeat(500)).get('k'.repeat(500))).toBe(1)
    await long.clear()
    await eventually('the other has heard', () => b.namespace('x'.repeat(500)).peek('k'.repeat(500)) === undefined)
    expect([await long.get('k'.repeat(500)), await other.get('k'.repeat(500))]).toEqual([undefined, 2])
  })

  test('leases are listed by names of the namespace', async () => {
    const { loader, gate, started } = gatedLoad<number>()
    const loading = b.namespace('users').getOrRefill('slow', loader)
    await started
    const keysSeen = async (place: Cache): Promise<string[]> => {
      let listing = await place.leases()
      while (!listing.complete) listing = await place.leases(listing)
      return (await place.leases(listing)).items.map(({ key }) => key)
    }
    expect(await keysSeen(a.namespace('users'))).toEqual(['slow'])
    expect(await keysSeen(a)).toEqual(['users/slow'])
    expect(await keysSeen(a.namespace('users2'))).toEqual([])
    expect(await a.namespace('users').examine('slow')).toMatchObject({ lease: { key: 'slow', own: false } })
    gate.resolve(1)
    await loading
  })
})

describe('processes', () => {
  const lab = cacheLab()

  test('share the loads of a namespace, and clear it together', async () => {
    const [one, two] = (await startCacheProcesses(lab, 2)) as [CacheProcess, CacheProcess]
    const namespace = 'users'
    const calls = [one, two].map((process) => process.call('getOrRefill', 'k', { namespace, callers: 10 }))
    expect((await Promise.all(calls)).map((answer) => answer.value)).toEqual(['value of run 1', 'value of run 1'])
    await one.call('set', 'k', { value: 'plain' })
    await one.call('clear', '', { namespace })
    await eventually('the other has heard', async () => (await two.call('peek', 'k', { namespace }))?.value === null)
    expect((await two.call('getOrRefill', 'k', { namespace }))?.value).toBe('value of run 2')
    expect((await two.call('get', 'k'))?.value).toBe('plain')
  })
})
