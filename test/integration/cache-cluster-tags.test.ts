import { Cluster } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { settled } from '../support/cache-lab.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { startCluster, type RedisCluster } from '../support/redis-cluster.ts'
import { uniquePrefix } from '../support/shared-redis.ts'

/** Tag and key lie on different nodes: no script sees both, and what is on its way may be overtaken. */
let cluster: RedisCluster
let caches: [Cache, Cache]
let clients: Cluster[]
beforeAll(async () => {
  cluster = await startCluster()
}, 60_000)
afterAll(() => cluster.stop())
beforeEach(async () => {
  const prefix = uniquePrefix('tags')
  clients = [new Cluster([...cluster.addresses]), new Cluster([...cluster.addresses])]
  const [a, b] = clients.map((redis) => createCache({ ttl: 60_000, prefix, redis })) as [Cache, Cache]
  caches = [a, b]
  for (const [i, cache] of caches.entries()) await cache.getOrRefill(`warm-up ${i}`, () => i, { tags: ['w'] })
  await eventually('inboxes are open', () =>
    caches.every((cache) => cache.stats().redis.every(({ messages }) => messages === 'connected')),
  )
})
afterEach(async () => {
  await Promise.all(caches.map((cache) => cache.close()))
  for (const client of clients) client.disconnect()
})

interface Context {
  cacheFor(options: { tags: string[] }): void
  doNotStore(): void
}

const changes: [string, (cache: Cache) => Promise<void>][] = [
  ['invalidateTags', (cache) => cache.invalidateTags('t')],
  ['expireTags', (cache) => cache.expireTags('t')],
]

describe.each(changes)('%s', (_change, change) => {
  test.each<[string, (context: Context) => void, string[]]>([
    ['is stored, of a tag that its call names', () => {}, ['t']],
    ['is not stored, of a tag that its call names', ({ doNotStore }) => doNotStore(), ['t']],
    ['is stored, of a tag that its loader names', ({ cacheFor }) => cacheFor({ tags: ['t'] }), []],
    [
      'is not stored, of a tag that its loader names',
      ({ cacheFor, doNotStore }) => {
        cacheFor({ tags: ['t'] })
        doNotStore()
      },
      [],
    ],
  ])('beats a load under way that %s', async (_how, declare, tags) => {
    const [a, b] = caches
    let source = 'old'
    const [begun, gate] = [deferred<void>(), deferred<void>()]
    let runs = 0
    const loader = async (context: Context): Promise<string> => {
      const read = source
      declare(context)
      if (++runs === 1) {
        begun.resolve()
        await gate.promise
      }
      return read
    }
    const first = a.getOrRefill('key', loader, { tags })
    await begun.promise
    source = 'new'
    await change(b)
    const later = [a.getOrRefill('key', loader, { tags }), b.getOrRefill('key', loader, { tags })]
    await eventually('the other process waits', () => b.stats().flights === 1)
    gate.resolve()
    expect(await first).toBe('old')
    // The process that loads may hear of it only now; whoever is told by message has asked the tag itself.
    expect(await later[1]).toBe('new')
    await Promise.all(caches.map(settled))
    await eventually('it is followed everywhere', async () => (await a.getOrRefill('key', loader, { tags })) === 'new')
  })
})

test('a tagged value that is sent along is taken by who waits', async () => {
  const [a, b] = caches
  const gate = deferred<void>()
  const begun = deferred<void>()
  const first = a.getOrRefill('key', async () => (begun.resolve(), await gate.promise, 'loaded'), { tags: ['t'] })
  await begun.promise
  const second = b.getOrRefill('key', () => 'own', { tags: ['t'] })
  await eventually('the other process waits', () => b.stats().flights === 1)
  gate.resolve()
  expect(await Promise.all([first, second])).toEqual(['loaded', 'loaded'])
})
