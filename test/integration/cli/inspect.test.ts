import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCache } from '../../../src/cache/create-cache.ts'
import type { Cache } from '../../../src/cache/cache.ts'
import { Locker } from '../../../src/lock/locker.ts'
import { sealed } from '../../support/sealed.ts'
import { herdlock } from '../../support/command-line.ts'
import { eventually } from '../../support/eventually.ts'
import { startCluster, type RedisCluster } from '../../support/redis-cluster.ts'
import { type RedisServer, startRedis } from '../../support/redis-server.ts'

interface Inventory {
  leases: { total: number; items: Record<string, unknown>[] }
  entries: { total: number; items: Record<string, unknown>[] }
}

async function inspect(...args: string[]): Promise<Inventory> {
  const { out, err } = await herdlock(['inspect', '--json', ...args])
  if (out === '') throw new Error(err)
  const { instances } = JSON.parse(out) as { instances: [Inventory] }
  return instances[0]
}

const byKey = (items: Record<string, unknown>[]): Record<string, Record<string, unknown>> =>
  Object.fromEntries(items.map((item) => [String(item['key']), item]))

/** A marker as a refill leaves it, for longer. */
const UNSHARED = sealed({
  ...{ kind: 'pass', freshUntil: Date.now() + 600_000, staleUntil: 0, errorUntil: 0, loadTime: 0 },
  ...{ tags: [], payload: new Uint8Array() },
})

/** Puts something of every kind under the prefix and resolves with what ends it. */
async function populate(redis: Redis | Cluster): Promise<() => Promise<void>> {
  const cache: Cache = createCache({ ttl: 600_000, staleWhileRevalidate: 300_000, redis })
  await cache.getOrRefill('user:1', () => ({ name: 'Ada' }), { tags: ['team', 'people'] })
  await cache.getOrRefill('user:2', () => 'x'.repeat(1000), { tags: ['gone'] })
  await cache.getOrRefill('old', () => 1, { ttl: 1 })
  await redis.set('herdlock:{mine}', UNSHARED, 'PX', 600_000)
  await cache.getOrRefill('evil\u001b[31m\n', () => 1)
  await cache.invalidateTags('gone')
  const stop = new AbortController()
  const loading = new Promise<void>((begun) => {
    void cache
      .getOrRefill('slow', ({ signal }) => {
        begun()
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
      })
      .catch(() => {})
  })
  await loading
  const locker = new Locker({ clients: redis })
  await locker.tryAcquire('job:1', 600_000)
  const awaited = await locker.tryAcquire('job:2', 600_000)
  const waiting = locker.acquire('job:2', 1000, { signal: stop.signal }).catch(() => {})
  await redis.set('job:3', 'of another program', 'PX', 600_000)
  await eventually('somebody waits', async () => (await redis.zcard(queueOf(awaited.key))) === 1)
  return async () => {
    stop.abort()
    await waiting
    await Promise.all([locker.close(), cache.close()])
    redis.disconnect()
  }
}

const queueOf = (key: string): string => `herdlock:queue:{${key}}:${key}`

describe('herdlock inspect', () => {
  let server: RedisServer
  let end: () => Promise<void>
  beforeAll(async () => {
    server = await startRedis()
    end = await populate(new Redis(server.url))
    await server.command('SET', 'herdlock:{\u001b[31mraw}', 'nothing of ours \u001b[0m')
    await server.command('RPUSH', 'herdlock:{list}', 'nothing of ours')
    await server.command('SET', 'herdlock:{user:1}:other', 'nothing of ours')
  })
  afterAll(async () => {
    await end?.()
    await server?.stop()
  })

  it('lists entries with their state, what is left of them, and their tags', async () => {
    const { entries } = await inspect(server.url)
    const found = byKey(entries.items)
    expect(found['user:1']).toMatchObject({ state: 'fresh', size: 15, tags: ['team', 'people'] })
    const { fresh, staleWhileRevalidate, expires } = found['user:1'] as Record<string, number>
    expect(fresh).toBeGreaterThan(500_000)
    expect((staleWhileRevalidate as number) - (fresh as number)).toBe(300_000)
    expect(Math.abs((expires as number) - (staleWhileRevalidate as number))).toBeLessThan(1000)
    expect(found['old']).toMatchObject({ state: 'stale', fresh: 0 })
    expect(found['user:2']).toMatchObject({ state: 'outdated', tags: ['gone'] })
    expect(found['mine']?.['state']).toBe('unshared')
    expect(found['list']?.['state']).toBe('foreign')
    expect(entries.total).toBe(7)
  })

  it('lists the leases of refills and the locks that somebody waits for, but no token', async () => {
    const { leases } = await inspect(server.url)
    const found = byKey(leases.items)
    expect(Object.keys(found).sort()).toEqual(['job:2', 'slow'])
    expect(found['slow']).toMatchObject({ kind: 'lease', waiters: 0 })
    expect(found['job:2']).toMatchObject({ kind: 'lock', waiters: 1 })
    expect(found['slow']?.['remaining']).toBeLessThanOrEqual(3000)
    const token = String(await server.command('GET', 'job:2'))
    expect(token).toContain(String(found['job:2']?.['holder']))
    const { out } = await herdlock(['inspect', server.url])
    expect(out).not.toContain(token.split(':').at(-1))
  })

  it('lists locks whose keys begin so, those of other programs too', async () => {
    const { leases } = await inspect(server.url, '--locks', 'job:')
    const found = byKey(leases.items)
    expect(Object.keys(found).sort()).toEqual(['job:1', 'job:2', 'job:3', 'slow'])
    expect(found['job:3']?.['holder']).toBeUndefined()
  })

  it('counts what is beyond the limit', async () => {
    const { entries, leases } = await inspect(server.url, '--limit', '1', '--locks', 'job:')
    expect([entries.items.length, entries.total, leases.items.length, leases.total]).toEqual([1, 7, 1, 4])
    expect((await herdlock(['inspect', server.url, '--limit', '1'])).out).toContain('7 entries, the first 1')
  })

  it('prints nothing that a terminal would act upon', async () => {
    const { out } = await herdlock(['inspect', server.url])
    expect(out).not.toContain('\u001b')
    expect(out).toContain('\\x1b[31mraw')
    expect(out).toContain('evil%1b[31m%0a')
  })

  it('finds nothing under another prefix', async () => {
    expect(await inspect(server.url, '--prefix', 'herd*')).toMatchObject({ entries: { total: 0 } })
  })

  it('says what Redis refuses', async () => {
    await server.command('ACL', 'SETUSER', 'blind', 'on', '>pw', '~*', '+@all', '-scan')
    const { code, err } = await herdlock(['inspect', server.url.replace('redis://', 'redis://blind:pw@')])
    expect(code).toBe(1)
    expect(err).toContain('NOPERM')
  })
})

describe('herdlock inspect on a Cluster', () => {
  let cluster: RedisCluster
  let end: () => Promise<void>
  beforeAll(async () => {
    cluster = await startCluster()
    end = await populate(new Cluster(cluster.addresses))
  }, 60_000)
  afterAll(async () => {
    await end?.()
    await cluster?.stop()
  })

  it('lists what lies on all of its masters', async () => {
    const { entries, leases } = await inspect(cluster.nodes[5]?.url ?? '', '--locks', 'job:')
    const found = byKey(entries.items)
    expect(Object.keys(found).sort()).toEqual(['evil%1b[31m%0a', 'mine', 'old', 'user:1', 'user:2'])
    expect(found['user:1']).toMatchObject({ state: 'fresh', tags: ['team', 'people'] })
    expect(found['user:2']?.['state']).toBe('outdated')
    expect(Object.keys(byKey(leases.items)).sort()).toEqual(['job:1', 'job:2', 'job:3', 'slow'])
  })
})
