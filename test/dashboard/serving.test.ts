import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import express from 'express'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Greeting, Update } from '../../src/dashboard/report.ts'
import { systemClock, type Clock } from '../../src/clock.ts'
import { systemRandom } from '../../src/random.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { createDashboard } from '../../src/dashboard/dashboard.ts'
import { resolveDashboard } from '../../src/dashboard/options.ts'
import { gatedLoad } from '../support/cache-lab.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { eventually } from '../support/eventually.ts'
import { startRedis } from '../support/redis-server.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { ask, MOUNTS, served, watch } from './support/served.ts'

describe.each(MOUNTS)('in %s', (mount) => {
  test('the page and all that it asks for are there', async () => {
    const { url, cache } = await served({ refresh: 250 }, mount)
    const page = await ask(url)
    expect(page).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } })
    const named = [...page.text.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, path]) => path as string)
    const modules: string[] = []
    for (const path of new Set(named)) {
      const file = await ask(url + path)
      expect(file).toMatchObject({ status: 200 })
      modules.push(...[...file.text.matchAll(/^import .* from '\.\/(.+)'$/gm)].map(([, name]) => name as string))
    }
    for (const path of modules) {
      expect(await ask(url + path)).toMatchObject({
        status: 200,
        headers: { 'content-type': 'text/javascript; charset=utf-8' },
      })
    }
    await cache.set('a/b?c', { n: 1 }, { tags: ['t'] })
    const found = await ask(`${url}key?cache=main&key=${encodeURIComponent('a/b?c')}`)
    expect(JSON.parse(found.text)).toMatchObject({ key: 'a/b?c', state: 'fresh', memory: { tags: ['t'], bytes: 8 } })
    const viewer = await watch(url)
    expect(await viewer.next<Greeting>('greeting')).toMatchObject({
      caches: [{ name: 'main' }],
      allowInvalidate: false,
    })
    expect(await viewer.next<Update>('update')).toMatchObject({ caches: [{ stats: { entries: 1 } }] })
    viewer.leave()
  })
})

test.each(['Express 5', 'Express 4', 'Connect', 'node:http'] as const)(
  'without the slash at its end %s sends on to the page',
  async (mount) => {
    const { url } = await served({}, mount)
    const answer = await ask(url.slice(0, -1))
    expect(answer).toMatchObject({ status: 308, headers: { location: 'herdlock/' } })
    expect(new URL(String(answer.headers.location), url.slice(0, -1)).href).toBe(url)
  },
)

test('what is none of the page goes on to the app', async () => {
  const { page, url } = await served()
  const app = express()
    .use('/herdlock', page)
    .use((request, response) => void response.send(`app ${request.originalUrl}`))
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const other = await ask(`${base}/herdlock/nothing`)
  expect(other).toMatchObject({ status: 200, text: 'app /herdlock/nothing' })
  expect(other.headers).not.toHaveProperty('content-security-policy')
  expect(await ask(new URL('/elsewhere', url).href)).toMatchObject({ status: 404 })
  expect(await ask(new URL('/herdlock/../herdlock/page/tsconfig.json', url).href)).toMatchObject({ status: 404 })
})

test('a body that the app has parsed already is understood', async () => {
  const { page, cache } = await served({ allowInvalidate: true })
  const server = createServer(express().use(express.json()).use(page)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/herdlock/invalidate`
  await cache.set('key', 1)
  const headers = { 'content-type': 'application/json' }
  const send = (token: string) =>
    ask(url, {
      method: 'POST',
      body: { cache: 'main', key: 'key' },
      headers: { ...headers, 'x-herdlock-token': token },
    })
  const { token } = JSON.parse((await send('')).text) as { token: string }
  expect(await send(token)).toMatchObject({ status: 200 })
  expect(cache.peek('key')).toBeUndefined()
})

test('HEAD is answered without a body, other methods are not', async () => {
  const { url } = await served()
  expect(await ask(url, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
  expect(await ask(`${url}events`, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
  expect(await ask(url, { method: 'POST' })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
})

test.each([
  ['cache=other&key=a', 404],
  ['key=a', 404],
  ['cache=main', 400],
  ['cache=main&key=', 400],
])('looking up %s is answered with %i', async (query, status) => {
  const { url } = await served()
  const answer = await ask(`${url}key?${query}`)
  expect(answer).toMatchObject({ status })
  expect(JSON.parse(answer.text)).toHaveProperty('error')
})

describe('a viewer', () => {
  test('is told of calls, loads, flights, failures, hot keys and slow loaders', async () => {
    const { url, cache } = await served({ refresh: 250 })
    await cache.set('before', 1)
    const viewer = await watch(url)
    await viewer.next('greeting')
    const first = await viewer.next<Update>('update')
    expect(first.caches[0]).toMatchObject({ redis: 'unknown' })
    expect(first.caches[0]).not.toHaveProperty('sample')

    const load = gatedLoad<number>()
    const waiting = [1, 2, 3].map(() => cache.getOrRefill('slow', load.loader))
    for (let i = 0; i < 20; i++) await cache.getOrRefill('before', () => 0)
    await cache.getOrRefill('x'.repeat(1000), () => 1)
    await expect(cache.getOrRefill('failing', () => Promise.reject(new Error('no origin')))).rejects.toThrow()
    const { caches } = await viewer.next<Update>('update')
    expect(caches[0]).toMatchObject({
      redis: 'absent',
      flights: { count: 1, rows: [{ key: 'slow', waiters: 3, shortened: false }] },
      failures: [{ kind: 'refill-failed', key: 'failing', message: 'Error: no origin' }],
      sample: { hits: 20, coalesced: 2, misses: 3, refills: 1, refillFailures: 1 },
    })
    const [update] = caches as [Update['caches'][0]]
    expect(update.hottest[0]).toMatchObject({ key: 'before', shortened: false })
    expect(update.refills.map(({ key, shortened }) => [key.length, shortened])).toEqual([
      [301, true],
      [7, false],
    ])
    load.gate.resolve(1)
    await Promise.all(waiting)
    const after = await viewer.next<Update>('update')
    expect(after.caches[0]).toMatchObject({ flights: { count: 0, rows: [] } })
    expect(after.caches[0]?.slowest[0]).toMatchObject({ key: 'slow', loads: 1 })

    const second = await watch(url)
    const { caches: known } = await second.next<Greeting>('greeting')
    expect(known[0]?.refills.map(({ key }) => key)).toContain('slow')
    expect(known[0]?.failures).toHaveLength(1)
    expect(known[0]?.samples.length).toBeGreaterThanOrEqual(2)
    viewer.leave()
    second.leave()
  })

  test('is told of the leases of all processes, and whether Redis answers', async () => {
    const server = await startRedis()
    const clients = [new Redis(server.url), new Redis(server.url)]
    for (const client of clients) client.on('error', () => {})
    onTestFinished(() => clients.forEach((client) => client.disconnect()))
    const { url } = await served({ refresh: 250, cacheOptions: { redis: clients[0] as Redis, commandTimeout: 300 } })
    const other = createCache({ ttl: 1000, redis: clients[1] as Redis })
    onTestFinished(() => other.close())
    const load = gatedLoad<number>()
    const value = other.getOrRefill('elsewhere', load.loader)
    await load.started
    const viewer = await watch(url)
    await eventually('the lease is shown', async () => {
      const { caches } = await viewer.next<Update>('update')
      return (
        caches[0]?.redis === 'answers' && caches[0].leases.rows[0]?.key === 'elsewhere' && !caches[0].leases.rows[0].own
      )
    })
    load.gate.resolve(1)
    await value
    await server.stop()
    await eventually('that Redis fails is shown', async () => {
      const { caches } = await viewer.next<Update>('update')
      return caches[0]?.redis === 'fails' && caches[0].redisError !== undefined && caches[0].leases.count === 0
    })
    viewer.leave()
  })

  test('is the only reason to listen, to ask, and to have a timer; one timer serves all', async () => {
    const redis = new Redis(sharedRedis().url)
    const cache = createCache({ ttl: 60_000, redis, prefix: uniquePrefix('dashboard') })
    let listeners = 0
    let questions = 0
    const watched = {
      ...cache,
      on: ((event, listener) => {
        listeners++
        const stop = cache.on(event, listener)
        return () => {
          listeners--
          stop()
        }
      }) as typeof cache.on,
      stats: () => {
        questions++
        return cache.stats()
      },
    }
    let timers = 0
    const clock: Clock = {
      ...systemClock,
      setTimeout(callback, delay, options) {
        timers++
        let isOver = false
        const end = (): void => {
          if (!isOver) timers--
          isOver = true
        }
        const timer = systemClock.setTimeout(() => (end(), callback()), delay, options)
        return { cancel: () => (end(), timer.cancel()) }
      },
    }
    const page = createDashboard(resolveDashboard({ caches: [watched], refresh: 250 }), { clock, random: systemRandom })
    const server = createServer(page).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    expect(await ask(url)).toMatchObject({ status: 200 })
    expect({ listeners, questions, timers }).toEqual({ listeners: 0, questions: 0, timers: 0 })

    const viewers = await Promise.all([watch(url), watch(url), watch(url)])
    await Promise.all(viewers.map((viewer) => viewer.next('update')))
    expect({ listeners, timers }).toEqual({ listeners: 9, timers: 1 })
    const before = questions
    await Promise.all(viewers.map((viewer) => viewer.next('update')))
    expect(questions - before).toBeLessThanOrEqual(2)

    for (const viewer of viewers) viewer.leave()
    await eventually('all have left', () => listeners === 0 && timers === 0)
    const settled = questions
    const again = await watch(url)
    await again.next('update')
    expect(questions).toBe(settled + 1)
    page.close()
    await once(again.response, 'end')
    expect({ listeners, timers }).toEqual({ listeners: 0, timers: 0 })
    await new Promise((resolve) => server.close(resolve)) // nothing keeps it open
    await cache.close()
    redis.disconnect()
  })

  test('who does not read is dropped, and others are not held up', async () => {
    const { url, server, cache } = await served({ refresh: 250 })
    const sockets = new Set<object>()
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
    const { port } = server.address() as AddressInfo
    const idle = connect(port, '127.0.0.1')
    idle.pause()
    idle.on('error', () => {})
    idle.write('GET /herdlock/events HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const reader = await watch(url)
    await eventually('both are there', () => sockets.size === 2)
    const text = 'x'.repeat(290)
    let calls = 0
    while (sockets.size === 2 && calls < 400) {
      // Each update then tells of as much as it may.
      await Promise.all(
        Array.from({ length: 400 }, (_, i) =>
          cache.getOrRefill(`${text}${i % 10}${calls++}`, () => Promise.reject(new Error(text))).catch(() => {}),
        ),
      )
      await reader.next('update')
      calls = calls % 390
    }
    await eventually('the one that does not read is dropped', () => sockets.size === 1, { within: 15_000 })
    await reader.next('update')
    reader.leave()
    idle.destroy()
  }, 60_000)

  test('beyond the fiftieth is sent away', async () => {
    const { url } = await served()
    const viewers = await Promise.all(Array.from({ length: 50 }, () => watch(url)))
    expect(await ask(`${url}events`)).toMatchObject({ status: 503, headers: { 'retry-after': '30' } })
    for (const viewer of viewers) viewer.leave()
  })

  test('is told that the connection lives while there is no news, and has to come anew after five minutes', async () => {
    const clock = new FakeClock()
    const cache = createCache({ ttl: 1000 })
    const page = createDashboard(resolveDashboard({ caches: [cache], refresh: 60_000 }), {
      clock,
      random: systemRandom,
    })
    const server = createServer(page).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(async () => {
      server.close()
      await cache.close()
    })
    const viewer = await watch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await viewer.next('update')
    for (let beat = 1; beat <= 3; beat++) {
      await clock.advance(15_000)
      await eventually(
        'a comment came',
        () => viewer.comments.filter((text) => text === ': still here').length === beat,
      )
    }
    await clock.advance(15_000)
    await viewer.next('update')
    await clock.advance(4 * 60_000)
    if (!viewer.response.readableEnded) await once(viewer.response, 'end')
    await eventually('nobody is watched', () => clock.pendingTimers === 0)
  })
})
