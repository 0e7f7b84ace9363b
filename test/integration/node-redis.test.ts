import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient, type RedisClientOptions } from 'redis'
import { createClient as createClient5 } from 'redis5'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { Locker, type RedisClient } from '../../src/lock.ts'
import { eventually } from '../support/eventually.ts'
import { startRedis } from '../support/redis-server.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'

const VERSIONS = { 'node-redis 6': createClient, 'node-redis 5': createClient5 as unknown as typeof createClient }

/** A client that is gone when its test has ended. */
function newClientOf(make: typeof createClient, options: RedisClientOptions = {}) {
  const client = make({ url: sharedRedis().url, ...options })
  client.on('error', () => {}) // it would end the process
  onTestFinished(() => void (client.isOpen && client.destroy()))
  return client
}

/** A cache that is closed when its test has ended. */
function cacheOn(redis: RedisClient, prefix: string): Cache {
  const cache = createCache({ ttl: 60_000, redis, prefix })
  onTestFinished(() => cache.close())
  return cache
}

describe.each(Object.entries(VERSIONS))('%s', (_name, make) => {
  const newClient = (options?: RedisClientOptions) => newClientOf(make, options)

  test('a client that is not connected: the cache loads, the lock rejects, and both say what is missing', async () => {
    const client = newClient()
    const cache = cacheOn(client as never, uniquePrefix('unconnected'))
    const errors: unknown[] = []
    cache.on('error', ({ error }) => errors.push(error))
    expect(await cache.getOrRefill('key', () => 'loaded')).toBe('loaded')
    expect(String(errors[0])).toContain('call connect()')
    const locker = new Locker({ clients: client as never })
    onTestFinished(() => locker.close())
    await expect(locker.tryAcquire('key', 1000)).rejects.toThrow(/call connect\(\)/)

    await client.connect()
    await eventually('Redis is used', async () => {
      await cache.set('other', 'value')
      return (await cache.get('other')) === 'value'
    })
    const lock = await locker.tryAcquire(uniquePrefix('lock'), 1000)
    await lock.release()
  })

  test.each<[string, RedisClientOptions]>([
    ['another mapping of types', { commandOptions: { typeMapping: { 36: Buffer, 58: String } } }],
    ['protocol 2', { RESP: 2 as never }],
    ['no offline queue', { disableOfflineQueue: true }],
    ['pings', { pingInterval: 50 }],
    ['a name', { name: 'app' }],
  ])('%s of the client does not matter', async (_what, options) => {
    const client = newClient(options)
    await client.connect()
    const prefix = uniquePrefix('options')
    const [one, other] = [cacheOn(client as never, prefix), cacheOn(client as never, prefix)]
    expect(await one.getOrRefill('key', () => ({ n: 1 }))).toEqual({ n: 1 })
    expect(await other.getOrRefill('key', () => ({ n: 2 }))).toEqual({ n: 1 })
    await one.invalidate('key')
    await eventually('the other hears of it', async () => {
      return (await other.getOrRefill('key', () => ({ n: 3 }))).n === 3
    })
    const locker = new Locker({ clients: client as never })
    onTestFinished(() => locker.close())
    const name = uniquePrefix('lock')
    const lock = await locker.acquire(name, 5000)
    await expect(locker.tryAcquire(name, 5000)).rejects.toThrow()
    await lock.release()
  })

  test.each<[string, RedisClientOptions, object]>([
    ['a keyPrefix', { keyPrefix: 'app:' }, { keyPrefix: 'app:' }],
    ['a database', { database: 3 }, { db: 3 }],
  ])('%s: entries and messages are shared with ioredis, and with nobody else', async (_what, own, likewise) => {
    if (make !== createClient && 'keyPrefix' in own) return // version 5 has none
    const client = newClient(own)
    await client.connect()
    const ioredis = new Redis(sharedRedis().url, likewise)
    const stranger = new Redis(sharedRedis().url)
    onTestFinished(() => [ioredis, stranger].forEach((each) => each.disconnect()))
    const prefix = uniquePrefix('shared')
    const [one, other, third] = [client as never, ioredis, stranger].map((redis) => cacheOn(redis, prefix))
    await one?.set('key', 'value', { tags: ['tag'] })
    expect(await other?.get('key')).toBe('value')
    expect(await third?.get('key')).toBeUndefined()
    await eventually('memory counts', async () => {
      await other?.getOrRefill('key', () => 'mine')
      return other?.peek('key') === 'value'
    })
    await one?.invalidateTags('tag')
    await eventually('the other hears of it', () => other?.peek('key') === undefined)
  })
})

// Version 5 may answer what it was given when its connection broke with the reply to its own log-in, and then waits for ever.
test('node-redis 6: a Redis that goes away and comes back: values meanwhile, sharing afterwards', async () => {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  const client = newClientOf(createClient, { url: server.url, socket: { reconnectStrategy: 20 } })
  await client.connect()
  const prefix = uniquePrefix('comes-back')
  const [one, other] = [cacheOn(client as never, prefix), cacheOn(client as never, prefix)]
  await one.getOrRefill('before', () => 1)
  await server.kill()
  expect(await one.getOrRefill('meanwhile', () => 2)).toBe(2)
  await server.restart()
  await eventually('they share again', async () => {
    await one.set('after', 3)
    return (await other.get('after')) === 3
  })
  await one.invalidate('after')
  await eventually('messages arrive again', async () => {
    await one.set('told', 1)
    await other.getOrRefill('told', () => 0)
    await one.set('told', 2)
    return (await other.getOrRefill('told', () => 0)) === 2
  })
})

test('a herd over caches with other clients each: one run, and all values are equal', async () => {
  const { url } = sharedRedis()
  const [version6, version5] = [createClient({ url }), createClient5({ url })]
  const [ioredis, valkey] = [new Redis(url), new Valkey(url)]
  await Promise.all([version6.connect(), version5.connect()])
  onTestFinished(() => {
    for (const client of [version6, version5]) client.destroy()
    for (const client of [ioredis, valkey]) client.disconnect()
  })
  const prefix = uniquePrefix('mixed')
  const caches = [version6, version5, ioredis, valkey].map((client) => cacheOn(client, prefix))
  let runs = 0
  const loader = async () => {
    await new Promise((resolve) => setTimeout(resolve, 100)) // as a database would take
    return { run: ++runs, text: 'é🔑' }
  }
  const calls = caches.flatMap((cache) => Array.from({ length: 100 }, () => cache.getOrRefill('key', loader)))
  const values = await Promise.all(calls)
  expect(runs).toBe(1)
  for (const value of values) expect(value).toEqual({ run: 1, text: 'é🔑' })
})
