import { expect, onTestFinished } from 'vitest'
import { createCache } from '../../src/cache/create-cache.ts'
import { Locker, type RedisClient } from '../../src/lock.ts'
import { settled } from './cache-lab.ts'
import { eventually } from './eventually.ts'
import { uniquePrefix } from './shared-redis.ts'

/** Everything that goes through Redis, by two clients of the same kind: what one does the other finds. */
export async function expectFullService(connect: () => RedisClient | Promise<RedisClient>): Promise<void> {
  const prefix = uniquePrefix('options')
  const errors: unknown[] = []
  const [one, other] = [newCache(await connect()), newCache(await connect())]
  function newCache(redis: RedisClient) {
    const cache = createCache({ ttl: 60_000, redis, prefix, memory: false })
    cache.on('error', ({ error }) => errors.push(error))
    onTestFinished(cache.close)
    return cache
  }
  const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`)
  const load = (key: string) => (): string => `loaded ${key}`
  // Again and again, so that hits become the rule and plain reads go ahead.
  for (let round = 0; round < 4; round++) {
    const values = await Promise.all(keys.map((key) => one.getOrRefill(key, load(key))))
    expect(values).toEqual(keys.map((key) => `loaded ${key}`))
    await settled(one)
  }
  const found = await Promise.all(keys.map((key) => other.getOrRefill(key, () => 'loaded again')))
  expect(found).toEqual(keys.map((key) => `loaded ${key}`))

  await one.set('key 1', Buffer.from([0, 255, 128]), { tags: ['tag'] })
  expect(await other.get('key 1')).toEqual(Buffer.from([0, 255, 128]))
  expect(await other.examine('key 1')).toMatchObject({ tier: 'redis', redisError: undefined })
  await other.invalidateTags('tag')
  expect(await one.get('key 1')).toBeUndefined()
  await one.invalidate('key 2')
  expect(await other.get('key 2')).toBeUndefined()

  await eventually('messages arrive', () => other.stats().redis[0]?.messages === 'connected')
  const led = one.getOrRefill('led', () => new Promise((resolve) => setTimeout(resolve, 50, 'led')))
  await eventually('it is led', () => one.stats().flights === 1)
  expect(await other.getOrRefill('led', () => 'own')).toBe('led')
  expect(await led).toBe('led')

  const [lockerA, lockerB] = [new Locker({ clients: await connect() }), new Locker({ clients: await connect() })]
  onTestFinished(async () => void (await Promise.all([lockerA.close(), lockerB.close()])))
  const lock = await lockerA.acquire(prefix, 10_000)
  const next = lockerB.acquire(prefix, 10_000, { fencing: true })
  await lock.release()
  await (await next).release()
  expect(await (await lockerA.tryAcquire(prefix, 1000)).ttl()).toBeGreaterThan(0)

  await one.clear()
  expect(await other.get('key 3')).toBeUndefined()
  expect(errors).toEqual([])
}
