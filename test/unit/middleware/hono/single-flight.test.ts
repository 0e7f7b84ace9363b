import { Hono } from 'hono'
import { expect, test } from 'vitest'

import { createCache, createCacheOn } from '../../../../src/cache/create-cache.ts'
import { createHonoFlight, singleFlight } from '../../../../src/middleware/hono/single-flight.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeRandom } from '../../../support/fake-random.ts'

test('options that cannot be honoured are refused at once', () => {
  expect(() => singleFlight({ ttl: 0 })).toThrow('ttl must be a whole number of milliseconds, 1 or more, received 0')
})

test('closing closes a cache of its own, and leaves open one that was given', async () => {
  const own = singleFlight()
  await own.close()
  await expect(own.cache.set('key', 'value')).rejects.toThrow('closed')
  const cache = createCache({ ttl: 1000 })
  const given = singleFlight({ cache })
  await given.close()
  expect(given.cache).toBe(cache)
  await cache.set('key', 'value')
  await cache.close()
})

test('a request that has its answer is left alone', async () => {
  const flight = singleFlight()
  const app = new Hono().use(async (context, next) => {
    context.res = new Response('outside')
    await next()
  })
  app.use(flight)
  const response = await app.request('/page')
  expect([response.headers.get('cache-status'), await response.text()]).toEqual([null, 'outside'])
  await flight.close()
})

test('its host is handed what goes on after the response', async () => {
  const doors = { clock: new FakeClock(), random: new FakeRandom() }
  const cache = createCacheOn({ ttl: 1000 }, doors.clock, doors.random)
  const app = new Hono().use(createHonoFlight({ cache }, doors))
  let runs = 0
  app.get('/page', (context) =>
    context.text(`run ${++runs}`, 200, { 'Cache-Control': 'max-age=60, stale-while-revalidate=60' }),
  )
  const kept: Promise<unknown>[] = []
  const executionCtx = { waitUntil: (work: Promise<unknown>) => void kept.push(work), passThroughOnException() {} }
  for (const [run, passing] of [
    ['run 1', 61_000],
    ['run 1', 0],
    ['run 2', 0],
  ] as const) {
    expect(await (await app.request('/page', {}, {}, executionCtx as never)).text()).toBe(run)
    await doors.clock.advance(passing)
  }
  expect(kept.length).toBe(1)
  await Promise.all(kept)
  await cache.close()
})
