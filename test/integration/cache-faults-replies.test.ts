import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createCache } from '../../src/cache/create-cache.ts'
import { UnexpectedReplyError } from '../../src/errors.ts'
import { Locker } from '../../src/lock/locker.ts'
import { cacheLab, settled, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

describe('while the application has a MULTI open on the client that it shares', () => {
  const lab = cacheLab()

  test.each([true, false])('callers of the cache get their values, later ones too; memory: %s', async (memory) => {
    const redis = lab.client()
    const cache = lab.cache({ redis, ...(memory ? {} : { memory: false }) })
    await warmUp(lab.redis, cache)
    for (let i = 0; i < 100; i++) await cache.getOrRefill('warm', () => 1) // hits are the rule: plain reads go ahead
    await redis.multi({ pipeline: false })
    const asked = Promise.all([
      ...Array.from({ length: 5 }, (_, i) => cache.getOrRefill(`key ${i}`, () => i)),
      cache.getOrRefillMany(['many', 'more'], (keys) => new Map(keys.map((key) => [key, key]))),
      cache.get('nothing'),
    ])
    const changes = [
      cache.set('set', 1),
      cache.set('tagged', 1, { tags: ['tag'] }),
      cache.invalidate('key 0'),
      cache.invalidateTags('tag'),
      cache.clear(),
    ].map((change) => expect(change).rejects.toThrow(UnexpectedReplyError))
    await redis.set(`${lab.prefix}application`, 1)
    const values = await asked
    expect(values.slice(0, 5)).toEqual([0, 1, 2, 3, 4])
    expect(values.at(-1)).toBeUndefined()
    await Promise.all(changes)
    await settled(cache)
    await redis.exec()
    expect(await cache.getOrRefill('later', () => 'later')).toBe('later')
    await settled(cache)
    expect(await cache.get('later')).toBe('later')
    // What was queued has been carried out: the claims, and the releases that followed them.
    expect((await lab.keys()).filter((key) => key.endsWith(':lease'))).toEqual([])
    for (const error of lab.errors) expect(error).toBeInstanceOf(UnexpectedReplyError)
    expect(lab.errors).toHaveLength(1)
  })

  test('nobody believes to have a lock, and none is left behind', async () => {
    const redis = lab.client()
    const locker = new Locker({ clients: redis })
    lab.atEnd(() => locker.close())
    await locker.prepare()
    const held = await locker.acquire(`${lab.prefix}held`, 60_000)
    await redis.multi({ pipeline: false })
    const key = `${lab.prefix}wanted`
    const attempts = [
      locker.tryAcquire(key, 60_000),
      locker.acquire(key, 60_000),
      locker.tryAcquire(key, 60_000, { fencing: true }),
      held.extend(1000),
      held.ttl(),
      held.release(),
    ].map((attempt) => expect(attempt).rejects.toThrow(/a MULTI is open on the client/))
    await Promise.all(attempts)
    await redis.exec()
    await eventually('nothing is held', async () => (await lab.keys()).length === 0)
  })
})

describe('a Redis that is sharded behind one address, and refuses keys of several slots in one command', () => {
  let server: RedisServer
  let redis: Redis
  beforeAll(async () => {
    server = await startRedis({ args: ['--cluster-enabled', 'yes'] })
    await server.command('CLUSTER', 'ADDSLOTSRANGE', 0, 16383)
    await eventually('it serves', async () => String(await server.command('CLUSTER', 'INFO')).includes('state:ok'))
    redis = new Redis(server.url)
  })
  afterAll(async () => {
    redis.disconnect()
    await server.stop()
  })

  function cacheOn(prefix: string) {
    const cache = createCache({ ttl: 60_000, redis, prefix, memory: false })
    const errors: unknown[] = []
    cache.on('error', ({ error }) => errors.push(error))
    onTestFinished(() => cache.close())
    return { cache, errors }
  }

  const keys = Array.from({ length: 50 }, (_, i) => `key ${i}`)

  test('is sent one key at a time, from the first batch on, without an error', async () => {
    const { cache, errors } = cacheOn('claims')
    await cache.getOrRefill('warm', () => 1)
    const ask = (value: string): Promise<string[]> =>
      Promise.all(keys.map((key) => cache.getOrRefill(key, () => value)))
    expect(new Set(await ask('loaded'))).toEqual(new Set(['loaded']))
    await settled(cache)
    expect(new Set(await ask('loaded again'))).toEqual(new Set(['loaded']))
    expect(errors).toEqual([])
  })

  test('also where plain reads are the first to meet it', async () => {
    const { cache, errors } = cacheOn('reads')
    for (const key of keys) await cache.getOrRefill(key, () => 'loaded')
    for (let i = 0; i < 100; i++) await cache.getOrRefill('key 1', () => 'never') // one by one: hits are the rule
    const found = await Promise.all(keys.map((key) => cache.getOrRefill(key, () => 'loaded again')))
    expect(new Set(found)).toEqual(new Set(['loaded']))
    expect(errors).toEqual([])
  })

  test('tags, which lie in other slots, count once it has shown what it is', async () => {
    const { cache, errors } = cacheOn('tags')
    await Promise.all(keys.map((key) => cache.getOrRefill(key, () => 'loaded', { tags: ['tag'] })))
    await settled(cache)
    expect(await cache.get('key 1')).toBe('loaded')
    await cache.invalidateTags('tag')
    expect(await cache.get('key 1')).toBeUndefined()
    expect(errors).toEqual([])
  })
})
