import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { jsxRenderer } from 'hono/jsx-renderer'
import { stream } from 'hono/streaming'
import { describe, expect, test } from 'vitest'

import { createHonoFlight } from '../../src/middleware/hono/single-flight.ts'
import { systemRandom } from '../../src/random.ts'
import { Gate } from './support/gate.ts'
import { makeFetchFlight, refilled, type ServeOptions } from './support/serve.ts'

const SHARED = 'public, max-age=60, stale-while-revalidate=60'

function makeHonoFlight(options?: ServeOptions) {
  const { clock, cache } = makeFetchFlight()
  const flight = createHonoFlight({ ...options, cache } as never, { clock, random: systemRandom })
  return { clock, cache, flight }
}

const statusOf = (response: Response): string => response.headers.get('cache-status') ?? ''

test('a hundred requests at once run the handler once; then they are hits', async () => {
  const { flight } = makeHonoFlight()
  const app = new Hono()
  const gate = new Gate()
  let runs = 0
  app.use(flight)
  app.get('/page/:id', async (context) => {
    runs++
    await gate.pass()
    context.header('Cache-Control', SHARED)
    return context.text(`page ${context.req.param('id')}`)
  })
  const asked = Array.from({ length: 100 }, async () => (await app.request('/page/1')).text())
  await gate.reached
  gate.open()
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['page 1']))
  const hit = await app.request('/page/1')
  expect([statusOf(hit), await hit.text(), runs]).toEqual([expect.stringContaining('herdlock; hit'), 'page 1', 1])
})

describe('a run in the background', () => {
  async function ran(build: (app: Hono, runs: { count: number }) => void, path = '/page') {
    const { flight, clock, cache } = makeHonoFlight()
    const app = new Hono()
    const runs = { count: 0 }
    const outer: string[] = []
    app.use(async (context, next) => {
      outer.push('outside')
      context.set('user' as never, 'Ada' as never)
      context.header('X-Request-Id', String(outer.length))
      await next()
    })
    app.use(flight)
    build(app, runs)
    const stored = refilled(cache)
    await (await app.request(path)).text()
    await stored
    clock.skip(61_000)
    const again = refilled(cache)
    const stale = await app.request(path)
    await again
    const fresh = await app.request(path)
    return { stale, fresh, outer, runs, app }
  }

  test('has a context of its own, and layers outside do not see it', async () => {
    const { stale, fresh, outer, runs } = await ran((app, seen) => {
      app.use(async (context, next) => {
        await next()
        context.header('X-Inside', 'yes')
      })
      app.get('/page', (context) => {
        context.header('Cache-Control', SHARED)
        return context.text(`run ${++seen.count} for ${String(context.get('user' as never))}`)
      })
    })
    expect([statusOf(stale), await stale.text()]).toEqual([expect.stringContaining('hit; ttl=-'), 'run 1 for Ada'])
    expect([statusOf(fresh), await fresh.text()]).toEqual([expect.stringContaining('herdlock; hit'), 'run 2 for Ada'])
    expect([fresh.headers.get('x-request-id'), fresh.headers.get('x-inside')]).toEqual(['3', 'yes'])
    expect([outer.length, runs.count]).toEqual([3, 2])
  })

  test('of a sub-app has its parameters and its own error handler', async () => {
    const { fresh } = await ran((app, seen) => {
      const sub = new Hono().onError((error, context) => context.text(`sub: ${error.message}`, 200))
      sub.get('/:id', (context) => {
        context.header('Cache-Control', SHARED)
        if (++seen.count > 1) throw new Error(`no ${context.req.param('id')}`)
        return context.text('page')
      })
      app.route('/sub', sub)
    }, '/sub/7')
    expect(await fresh.text()).toBe('sub: no 7')
  })

  test('renders by the renderer of layers outside', async () => {
    const { flight, clock, cache } = makeHonoFlight()
    const app = new Hono()
    let runs = 0
    app.use(jsxRenderer(({ children }) => children as never, { docType: false }))
    app.use(flight)
    app.get('/page', (context) => {
      context.header('Cache-Control', SHARED)
      return context.render(`run ${++runs}` as never)
    })
    for (const expected of ['run 1', 'run 1', 'run 2']) {
      const stored = expected === 'run 2' ? undefined : refilled(cache)
      expect(await (await app.request('/page')).text()).toBe(expected)
      await stored
      clock.skip(expected === 'run 2' || runs === 2 ? 0 : 61_000)
    }
  })

  test('takes place in the foreground, at the next request, where the layer is wrapped', async () => {
    const { flight, clock, cache } = makeHonoFlight()
    const app = new Hono()
    let runs = 0
    app.use((context, next) => flight(context, next))
    app.get('/page', (context) => {
      context.header('Cache-Control', SHARED)
      return context.text(`run ${++runs}`)
    })
    const stored = refilled(cache)
    await (await app.request('/page')).text()
    await stored
    clock.skip(61_000)
    expect(await (await app.request('/page')).text()).toBe('run 1')
    await expect.poll(async () => (await app.request('/page')).text()).toBe('run 2')
  })
})

test('fields of layers outside are each request’s own; Vary is joined', async () => {
  const { flight } = makeHonoFlight()
  const app = new Hono()
  app.use(cors({ origin: (origin) => origin, credentials: true }))
  app.use(flight)
  app.get('/page', (context) => {
    context.header('Cache-Control', SHARED)
    context.header('Vary', 'Accept', { append: true })
    return context.text('page')
  })
  const get = (origin: string) => app.request('/page', { headers: { Origin: origin } })
  await (await get('http://a.example')).text()
  await expect.poll(async () => statusOf(await get('http://b.example'))).toContain('hit')
  const hit = await get('http://b.example')
  expect(hit.headers.get('access-control-allow-origin')).toBe('http://b.example')
  expect(hit.headers.get('vary')?.toLowerCase()).toContain('accept')
})

test('a HEAD, a POST and what no handler answers', async () => {
  const { flight } = makeHonoFlight()
  const app = new Hono()
  app.use(flight)
  app.get('/page', (context) => context.text('page', 200, { 'Cache-Control': SHARED }))
  app.post('/page', (context) => context.text('changed'))
  await (await app.request('/page')).text()
  await expect.poll(async () => statusOf(await app.request('/page'))).toContain('hit')
  expect(statusOf(await app.request('/page', { method: 'HEAD' }))).toContain('hit')
  expect(statusOf(await app.request('/page', { method: 'POST' }))).toBe('herdlock; fwd=method; fwd-status=200')
  expect(statusOf(await app.request('/page'))).not.toContain('hit')
  const none = await app.request('/none')
  expect([none.status, await none.text()]).toEqual([404, '404 Not Found'])
})

test('a client that leaves while its handler answers for others does not spoil their answer', async () => {
  const { flight } = makeHonoFlight()
  const app = new Hono()
  const gate = new Gate()
  app.use(flight)
  app.get('/page', async (context) => {
    await gate.pass()
    context.header('Cache-Control', SHARED)
    return stream(context, async (body) => void (await body.write('page')))
  })
  const left = new AbortController()
  const first = app.request('/page', { signal: left.signal })
  await gate.reached
  const second = app.request('/page')
  left.abort()
  gate.open()
  expect((await first).status).toBe(499)
  expect(await (await second).text()).toBe('page')
})

test('an error of a handler is Hono’s to answer, and gives way to a stale response', async () => {
  const { flight, clock, cache } = makeHonoFlight()
  const app = new Hono().onError((error, context) => context.text(`handled: ${error.message}`, 500))
  let runs = 0
  app.use(flight)
  app.get('/page', (context) => {
    if (++runs > 1) throw new Error('out of order')
    return context.text('page', 200, { 'Cache-Control': 'max-age=60, stale-if-error=60' })
  })
  const stored = refilled(cache)
  await (await app.request('/page')).text()
  await stored
  clock.skip(61_000)
  expect(await (await app.request('/page')).text()).toBe('page')
  clock.skip(60_000)
  expect(await (await app.request('/page')).text()).toBe('handled: out of order')
})

test('over the network, by @hono/node-server', async () => {
  const { flight } = makeHonoFlight()
  const app = new Hono()
  app.use(flight)
  app.get('/page', (context) => context.json({ page: 1 }, 200, { 'Cache-Control': SHARED }))
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  try {
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const get = () => fetch(`http://127.0.0.1:${port}/page`)
    expect(await (await get()).json()).toEqual({ page: 1 })
    await expect.poll(async () => statusOf(await get())).toContain('hit')
    expect(await (await get()).json()).toEqual({ page: 1 })
  } finally {
    server.close()
  }
})
