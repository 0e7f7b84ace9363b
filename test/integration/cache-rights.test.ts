import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { deferred } from '../support/deferred.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

/** As docs/redis.md says. INFO and CLIENT are ioredis' own. */
const RIGHTS =
  '+eval +evalsha +get +mget +set +del +pttl +pexpire +sadd +smembers +time +publish +zpopmin +subscribe +scan +unlink +info +client +hello'

/** And for streams, beside those. */
const RIGHTS_FOR_STREAMS =
  '+exists +rpush +llen +lindex +lset +lrange +rename +zadd +zrem +zcard +zrange +zremrangebyscore'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
  for (const [name, rights] of [
    ['app', RIGHTS],
    ['streaming', `${RIGHTS} ${RIGHTS_FOR_STREAMS}`],
  ] as const) {
    await server.command(
      ...['ACL', 'SETUSER', name, 'on', '>secret', '~shop:*', '~herdlock:queue:*'],
      'resetchannels', // as Redis 7 begins with, and 6.2 does not
      ...['&shop:*', '&herdlock:inbox:*', ...rights.split(' ')],
    )
  }
})
afterAll(() => server.stop())

/** As a process of that user has it. */
function cacheOf(username: string): { cache: Cache; errors: unknown[] } {
  const redis = new Redis({ port: server.port, host: server.host, username, password: 'secret' })
  const cache = createCache({ ttl: 60_000, redis, prefix: 'shop', memory: false, lockTtl: 500 })
  const errors: unknown[] = []
  cache.on('error', ({ error }) => errors.push(error))
  onTestFinished(async () => {
    await cache.close()
    redis.disconnect()
  })
  return { cache, errors }
}

test('the rights that the page on Redis names are enough', async () => {
  const { cache, errors } = cacheOf('app')
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
})

async function* counting(to: number, end: Promise<unknown>): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) yield i
  await end
}

async function readAll(stream: AsyncIterable<number>): Promise<number[]> {
  const chunks: number[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}

test('with those that it names for streams, streams are shared: read, resumed, left and replayed', async () => {
  const [one, two] = [cacheOf('streaming'), cacheOf('streaming')]
  const end = deferred()
  const first = one.cache.stream('s', () => counting(3, end.promise))[Symbol.asyncIterator]()
  await first.next()
  const reader = two.cache.stream('s', () => counting(9, end.promise))[Symbol.asyncIterator]()
  expect(await reader.next()).toEqual({ done: false, value: 0 })
  const other = two.cache.stream('s', () => counting(9, end.promise))
  const read = readAll(other)
  await reader.return?.()
  end.resolve()
  expect(await read).toEqual([0, 1, 2])
  expect(await readAll(other)).toEqual([0, 1, 2])
  // A process that ends: the other one goes on behind what it has published.
  const resumed = (cache: Cache) =>
    cache.stream('r', ({ resumeFrom }) => counting(3 - resumeFrom, Promise.resolve()), { onProducerLost: 'resume' })
  const endless = one.cache.stream('r', () => counting(2, new Promise(() => {})), { onProducerLost: 'resume' })
  const begun = endless[Symbol.asyncIterator]()
  await begun.next()
  const follower = resumed(two.cache)[Symbol.asyncIterator]()
  expect([await follower.next(), await follower.next()].map(({ value }) => value as number)).toEqual([0, 1])
  await one.cache.close()
  expect(await follower.next()).toEqual({ done: false, value: 0 })
  expect(await follower.next()).toEqual({ done: true, value: undefined })
  await two.cache.clear()
  expect([...one.errors, ...two.errors]).toEqual([])
})

test('without them each process produces for itself, says why, and all else goes on', async () => {
  const { cache, errors } = cacheOf('app')
  expect(await readAll(cache.stream('t', () => counting(3, Promise.resolve())))).toEqual([0, 1, 2])
  expect(String(errors[0])).toMatch(/NOPERM|permission|can't run this command/i)
  expect(await cache.getOrRefill('u', () => 1)).toBe(1)
})
