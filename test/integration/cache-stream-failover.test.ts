import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { ProducerLostError } from '../../src/errors.ts'
import { eventually } from '../support/eventually.ts'
import { rest, shareStream } from '../support/read-stream.ts'
import { type RedisPair, startRedisPair } from '../support/redis-pair.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { toldProducer } from '../support/told-producer.ts'

/** A replica is promoted while a stream is produced in one cache and read in another one. */
let pair: RedisPair
let proxies: TcpProxy[]
const ends: (() => unknown)[] = []
beforeEach(async () => {
  pair = await startRedisPair()
  proxies = [await startProxy(pair.address), await startProxy(pair.address)]
})
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
  await Promise.all(proxies.map((proxy) => proxy.close()))
  await pair.stop()
})

function cacheBehind({ host, port }: TcpProxy): Cache {
  const redis = new Redis({ host, port, retryStrategy: () => 20 }).on('error', () => {})
  const cache = createCache({ ttl: 60_000, redis, prefix: 'failover', lockTtl: 500, commandTimeout: 2000 })
  ends.push(cache.close, () => redis.disconnect())
  return cache
}

/** Resolves when the cache reaches the master and is told of changes. */
async function connected(cache: Cache): Promise<void> {
  await eventually('it is connected', async () => {
    await cache.set(`connected ${performance.now()}`, true)
    return cache.stats().redis[0]?.messages === 'connected'
  })
}

/** What `one` and `other` read of a stream that `one` produces; `say` says more, and `c` has been lost at the failover. */
async function afterFailover(onProducerLost: 'restart' | 'resume') {
  const [one, other] = proxies.map(cacheBehind) as [Cache, Cache]
  await Promise.all([one, other].map(connected))
  const next = toldProducer<string>()
  const shared = await shareStream(one, other, { onProducerLost }, next.producer)
  const { told: first, own, other: reader } = shared
  first.say('b')
  for (const each of [own, reader]) expect((await each.next()).value).toBe('b')
  await pair.failOver(async () => {
    first.say('c')
    expect([(await own.next()).value, (await reader.next()).value]).toEqual(['c', 'c'])
  })
  for (const proxy of proxies) proxy.reset()
  await Promise.all([one, other].map(connected))
  return { one, other, first, next, own, reader }
}

test('with resume who has had more than the new master knows is told so, and gets no chunk of the next producer', async () => {
  const { one, other, first, next, own, reader } = await afterFailover('resume')
  next.say('a', 'b', 'C', 'D')
  next.end()
  first.say('d') // its process is noticed to be lost by what it appends
  expect((await own.next()).value).toBe('d')
  await expect(rest(reader)).rejects.toThrow(ProducerLostError)
  expect(await rest(other.stream('key', next.producer, { onProducerLost: 'resume' }))).toEqual(['a', 'b', 'C', 'D'])
  first.end()
  expect(await rest(own)).toEqual([]) // beside the producer nothing was lost
  expect(await rest(one.stream('key', next.producer))).toEqual(['a', 'b', 'C', 'D'])
})

test('with restart who has had something is told so; who comes gets another stream, long before the lost one ends', async () => {
  const { other, first, next, own, reader } = await afterFailover('restart')
  first.say('d')
  await expect(rest(reader)).rejects.toThrow(ProducerLostError)
  next.say('x')
  next.end()
  expect(await rest(other.stream('key', next.producer))).toEqual(['x'])
  first.end()
  expect(await rest(own)).toEqual(['d'])
})
