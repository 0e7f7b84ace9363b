import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { eventually } from '../support/eventually.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

describe.each([
  ['ioredis 6', (url: string) => new Redis(url)],
  ['ioredis 6 with a keyPrefix', (url: string) => new Redis(url, { keyPrefix: 'app:' })],
  ['ioredis 5', (url: string) => new Redis5(url)],
])('memory with tracking on %s', (name, connect) => {
  let server: RedisServer
  let redis: Redis | Redis5
  let cache: Cache
  const keyPrefix = name.endsWith('keyPrefix') ? 'app:' : ''

  beforeEach(async () => {
    server = await startRedis()
    redis = connect(server.url)
    // What memory drops must not be what it would not trust for long anyway.
    cache = createCache({ ttl: 60_000, redis, memory: { tracking: true, unsyncedTtl: 60_000 } })
  })
  afterEach(async () => {
    await cache.close()
    redis.disconnect()
    await server.stop()
  })

  /** Until the echo of its own write has passed, memory drops the entry again. */
  async function hold(key: string, version?: string): Promise<void> {
    await eventually(`${key} in memory`, async () => {
      await cache.getOrRefill(key, () => 'old', { version })
      const { messages } = cache.stats().redis[0] as { messages: string }
      return messages === 'connected' && cache.peek(key, { version }) === 'old'
    })
  }

  test.each([
    ['plain', undefined],
    ['with {braces} and %', undefined],
    ['x'.repeat(1000), undefined],
    ['plain', 'v2'],
    ['x'.repeat(1000), '{2}'],
  ])('drops an entry that is deleted by hand (%#)', async (key, version) => {
    await hold(key, version)
    const [stored] = (await server.command('KEYS', `${keyPrefix}herdlock:{*}`)) as string[]
    await server.command('DEL', stored as string)
    await eventually('memory has dropped it', () => cache.peek(key, { version }) === undefined)
    expect(await cache.getOrRefill(key, () => 'new', { version })).toBe('new')
  })

  test('drops everything after FLUSHALL', async () => {
    await hold('a')
    await hold('b')
    await server.command('FLUSHALL')
    await eventually('memory is empty', () => cache.peek('a') === undefined && cache.peek('b') === undefined)
  })

  test('keeps its own refills once their echo has passed, without asking Redis again', async () => {
    await hold('key')
    const before = Number(
      (/cmdstat_get:calls=(\d+)/.exec(String(await server.command('INFO', 'commandstats'))) ?? [])[1] ?? 0,
    )
    for (let i = 0; i < 100; i++) expect(await cache.getOrRefill('key', () => 'new')).toBe('old')
    const after = Number(
      (/cmdstat_get:calls=(\d+)/.exec(String(await server.command('INFO', 'commandstats'))) ?? [])[1] ?? 0,
    )
    expect(after - before).toBeLessThanOrEqual(1)
  })
})

test('tracking is refused on a Cluster, where each node tells of its own keys only', () => {
  const cluster = Object.assign(Object.create(Redis.prototype) as Redis, { isCluster: true, options: {} })
  expect(() => createCache({ ttl: 1, redis: cluster, memory: { tracking: true } })).toThrow(/memory.tracking/)
})
