import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCache } from '../../src/cache/create-cache.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

/** As docs/redis.md says. INFO and CLIENT are ioredis' own. */
const RIGHTS =
  '+eval +evalsha +get +mget +set +del +pttl +pexpire +sadd +smembers +time +publish +zpopmin +subscribe +scan +unlink +info +client +hello'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
  await server.command(
    'ACL',
    'SETUSER',
    'app',
    'on',
    '>secret',
    '~shop:*',
    '~herdlock:queue:*',
    'resetchannels', // as Redis 7 begins with, and 6.2 does not
    '&shop:*',
    '&herdlock:inbox:*',
    ...RIGHTS.split(' '),
  )
})
afterAll(() => server.stop())

test('the rights that the page on Redis names are enough', async () => {
  const redis = new Redis({ port: server.port, host: server.host, username: 'app', password: 'secret' })
  const cache = createCache({ ttl: 60_000, redis, prefix: 'shop', memory: false })
  const errors: unknown[] = []
  cache.on('error', ({ error }) => errors.push(error))
  await cache.getOrRefill('a', () => 1, { tags: ['t'] })
  expect(await cache.getOrRefill('a', () => 2)).toBe(1)
  await cache.set('b', 1, { tags: ['t'] })
  expect(await cache.get('b')).toBe(1)
  await cache.invalidateTags('t')
  await cache.invalidate('b')
  expect(await cache.getOrRefillMany(['a', 'b'], (keys) => new Map(keys.map((key) => [key, 3])))).toEqual(
    new Map([
      ['a', 3],
      ['b', 3],
    ]),
  )
  await expect(cache.getOrRefill('c', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  await cache.clear()
  expect(errors).toEqual([])
  await cache.close()
  redis.disconnect()
})
