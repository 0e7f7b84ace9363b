import { PassThrough, Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'

import Fastify, { type FastifyInstance } from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'

import { createPlugin } from '../../src/middleware/fastify/plugin.ts'
import { systemRandom } from '../../src/random.ts'
import { type Ask, ask, letLeave, open, readAll } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { makeFlight, refilled, type ServeOptions } from './support/serve.ts'

const SHARED = 'public, max-age=60, stale-while-revalidate=60'

interface Site {
  /** Registered before the plugin, and after it. */
  outside?: (app: FastifyInstance) => unknown
  routes: (app: FastifyInstance) => unknown
  options?: ServeOptions
}

async function serve({ outside = () => {}, routes, options }: Site) {
  const { clock, cache } = makeFlight(options)
  const app = Fastify()
  await outside(app)
  await app.register(createPlugin({ clock, random: systemRandom }), { ...options, cache })
  await routes(app)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  const get = (path = '/page', asked: Ask = {}) => ask(url + path, asked)
  return { app, clock, cache, url, get }
}

/** A page that is stored, and a clock that has made it stale. */
async function stale(site: Site) {
  const served = await serve(site)
  const stored = refilled(served.cache)
  await served.get()
  await stored
  served.clock.skip(61_000)
  return served
}

const statusOf = ({ headers }: { headers: Record<string, unknown> }): unknown => headers['cache-status']
const isHit = expect.stringContaining('herdlock; hit') as unknown

test('a hundred requests at once run the handler once, by its schemas; then they are hits', async () => {
  const gate = new Gate()
  let runs = 0
  const { get } = await serve({
    routes(app) {
      const schema = {
        params: { type: 'object', properties: { id: { type: 'integer' } } },
        response: { 200: { type: 'object', properties: { id: { type: 'integer' }, run: { type: 'integer' } } } },
      }
      app.get<{ Params: { id: number } }>('/page/:id', { schema }, async (request, reply) => {
        await gate.pass()
        void reply.header('Cache-Control', SHARED)
        return { id: request.params.id, run: ++runs, secret: 'not in the schema' }
      })
    },
  })
  const asked = Array.from({ length: 100 }, async () => (await get('/page/1')).body)
  await gate.reached
  gate.open()
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['{"id":1,"run":1}']))
  const hit = await get('/page/1')
  expect([statusOf(hit), hit.body, runs]).toEqual([isHit, '{"id":1,"run":1}', 1])
  expect(hit.headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', 'content-length': '16' })
  expect((await get('/page/none')).status).toBe(400)
})

test('inject finds what is stored, and what it brings is stored', async () => {
  const { app, cache } = await serve({
    routes: (app) => app.get('/page', (_request, reply) => reply.header('Cache-Control', SHARED).send('page')),
  })
  const stored = refilled(cache)
  const miss = await app.inject('/page')
  await stored
  const hit = await app.inject('/page')
  const head = await app.inject({ method: 'HEAD', url: '/page' })
  expect([miss.body, hit.body, statusOf(hit)]).toEqual(['page', 'page', isHit])
  expect([head.body, head.headers['content-length'], statusOf(head)]).toEqual(['', '4', isHit])
})

test('a stale answer is sent at once; the refill runs what comes after the plugin, on that request', async () => {
  const seen = { outside: 0, inside: 0, responses: 0, runs: 0 }
  const { app, get, cache } = await stale({
    outside(app) {
      app.decorateRequest('user', '')
      app.addHook('onRequest', async (request, reply) => {
        Object.assign(request, { user: 'Ada' })
        void reply.header('X-Request-Id', String(++seen.outside))
      })
      app.addHook('onResponse', async () => void seen.responses++)
    },
    routes(app) {
      app.addHook('preHandler', async () => void seen.inside++)
      app.get('/page', async (request, reply) => {
        request.signal.throwIfAborted()
        void reply.header('Cache-Control', SHARED)
        return `run ${++seen.runs} for ${(request as unknown as { user: string }).user}`
      })
    },
  })
  const again = refilled(cache)
  const old = await get()
  expect([statusOf(old), old.body]).toEqual([expect.stringContaining('hit; ttl=-'), 'run 1 for Ada'])
  await again
  const fresh = await get()
  expect([statusOf(fresh), fresh.body]).toEqual([isHit, 'run 2 for Ada'])
  expect([old, fresh].map(({ headers }) => headers['x-request-id'])).toEqual(['2', '3'])
  await expect.poll(() => seen).toEqual({ outside: 3, inside: 2, responses: 3, runs: 2 })
  expect(app.herdlock.cache).toBe(cache)
})

test('a refill in the background has a signal of its own', async () => {
  let runs = 0
  const { get, cache } = await stale({
    outside: (app) => app.addHook('onRequest', async (request) => void request.signal.aborted),
    routes: (app) =>
      app.get('/page', { handlerTimeout: 60_000 }, async (request, reply) => {
        request.signal.throwIfAborted()
        void reply.header('Cache-Control', SHARED)
        return `run ${++runs}`
      }),
  })
  const again = refilled(cache)
  await get()
  await again
  expect((await get()).body).toBe('run 2')
})

test('a route opts out, or says what counts for it', async () => {
  const { get, clock } = await serve({
    routes(app) {
      app.get('/out', { config: { singleFlight: false } }, (_request, reply) =>
        reply.header('Cache-Control', SHARED).send('out'),
      )
      app.get('/short', { config: { singleFlight: { ttl: 1000 } } }, () => 'short')
      app.get('/nothing', () => 'nothing')
    },
  })
  await Promise.all(['/out', '/short', '/nothing'].map((path) => get(path)))
  expect(statusOf(await get('/out'))).toBeUndefined()
  await expect.poll(async () => statusOf(await get('/short'))).toEqual(isHit)
  expect(statusOf(await get('/short', { method: 'HEAD' }))).toEqual(isHit)
  expect(statusOf(await get('/nothing'))).toContain('detail=no-freshness')
  clock.skip(1001)
  expect(statusOf(await get('/short'))).toContain('fwd=stale')
})

test('fields of hooks before it are each request’s own, and those that the handler takes away are gone', async () => {
  const { get } = await serve({
    outside: (app) =>
      app.addHook('onRequest', async (request, reply) => {
        void reply.headers({
          'Access-Control-Allow-Origin': request.headers.origin ?? '',
          Vary: 'Origin',
          'X-Gone': 'no',
        })
      }),
    routes: (app) =>
      app.get('/page', (_request, reply) => {
        void reply.removeHeader('X-Gone').headers({ 'Cache-Control': SHARED, Vary: 'Origin, Accept' })
        return reply.send('page')
      }),
  })
  const from = (origin: string) => get('/page', { headers: { Origin: origin } })
  const miss = await from('http://a.example')
  await expect.poll(async () => statusOf(await from('http://a.example'))).toEqual(isHit)
  for (const answer of [miss, await from('http://a.example')]) {
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': 'http://a.example', vary: 'Origin, Accept' })
    expect(answer.headers['x-gone']).toBeUndefined()
  }
})

test('what onSend hooks make of an answer is stored; a cookie of theirs keeps it from others', async () => {
  let sent = 0
  const { get } = await serve({
    outside: (app) =>
      app.addHook('onSend', async (request, reply, payload) => {
        sent++
        if (request.url === '/cookie') void reply.header('Set-Cookie', 'id=1')
        void reply.header('Content-Encoding', 'gzip').removeHeader('Content-Length')
        return gzipSync(payload as string)
      }),
    routes(app) {
      for (const path of ['/page', '/cookie']) {
        app.get(path, (_request, reply) => reply.header('Cache-Control', SHARED).send('page'))
      }
    },
  })
  await get()
  await expect.poll(async () => statusOf(await get())).toEqual(isHit)
  expect([(await get()).body, sent]).toEqual(['page', 1])
  expect(statusOf(await get('/cookie'))).toContain('detail=set-cookie')
})

test('a HEAD, a POST and what no route answers', async () => {
  const { get } = await serve({
    routes(app) {
      app.get('/page', (_request, reply) => reply.header('Cache-Control', SHARED).send('page'))
      app.post('/page', () => 'changed')
    },
  })
  const alone = await get('/page', { method: 'HEAD' })
  expect([alone.headers['content-length'], alone.body]).toEqual(['4', ''])
  await get()
  await expect.poll(async () => statusOf(await get())).toEqual(isHit)
  const head = await get('/page', { method: 'HEAD' })
  expect([statusOf(head), head.headers['content-length'], head.body]).toEqual([isHit, '4', ''])
  expect(statusOf(await get('/page', { method: 'POST' }))).toBe('herdlock; fwd=method; fwd-status=200')
  expect(statusOf(await get())).toContain('fwd=uri-miss')
  const none = await get('/none')
  expect([none.status, none.body]).toEqual([404, expect.stringContaining('Route GET:/none not found')])
})

test('conditional and range requests are answered from the whole', async () => {
  const asked: unknown[] = []
  const { get } = await serve({
    routes: (app) =>
      app.get('/page', (request, reply) => {
        asked.push(request.headers['if-none-match'], request.headers.range)
        return reply.headers({ 'Cache-Control': SHARED, ETag: '"1"' }).send('0123456789')
      }),
  })
  const conditional = { headers: { 'If-None-Match': '"1"' } }
  expect(await get('/page', conditional)).toMatchObject({ status: 304, body: '' })
  await expect.poll(async () => statusOf(await get())).toEqual(isHit)
  expect(await get('/page', conditional)).toMatchObject({ status: 304, body: '' })
  expect(await get('/page', { headers: { Range: 'bytes=2-4' } })).toMatchObject({ status: 206, body: '234' })
  expect(asked).toEqual([undefined, undefined])
})

test('what Fastify takes away of the fields of a hook before it is gone', async () => {
  const { get } = await serve({
    outside(app) {
      app.addHook('onRequest', async (_request, reply) => void reply.type('text/x'))
      app.setErrorHandler((_error, _request, reply) => reply.code(500).send())
    },
    routes: (app) =>
      app.get('/page', () => {
        throw new Error('out of order')
      }),
  })
  const failed = await get()
  expect([failed.status, failed.headers['content-type']]).toEqual([500, undefined])
})

describe('streams', () => {
  test('those who wait get a stream as it comes, and all of it though the first client leaves', async () => {
    const source = new PassThrough()
    const gate = new Gate()
    const { url, get } = await serve({
      routes: (app) =>
        app.get('/page', async (_request, reply) => {
          await gate.pass()
          return reply.header('Cache-Control', SHARED).send(source)
        }),
    })
    const first = open(`${url}/page`)
    await gate.reached
    const [second, third] = [open(`${url}/page`), open(`${url}/page`)]
    gate.open()
    source.write('begun ')
    const responses = await Promise.all([first, second, third].map(({ response }) => response))
    first.leave()
    await letLeave(url)
    source.end('and ended')
    const answers = await Promise.all(responses.slice(1).map(readAll))
    const whole = ['begun and ended', true]
    expect(answers.map(({ body, complete }) => [body, complete])).toEqual([whole, whole])
    await expect.poll(async () => statusOf(await get())).toEqual(isHit)
  })

  test('one that breaks off ends the answers of all who have begun, and nothing is stored', async () => {
    const source = new PassThrough()
    let runs = 0
    const { url, get } = await serve({
      routes: (app) =>
        app.get('/page', (_request, reply) => {
          void reply.header('Cache-Control', SHARED)
          return reply.send(++runs === 1 ? source : Readable.from(['whole']))
        }),
    })
    const first = open(`${url}/page`)
    source.write('begun')
    const responses = [await first.response, await open(`${url}/page`).response]
    source.destroy(new Error('broken'))
    expect((await Promise.all(responses.map(readAll))).map(({ complete }) => complete)).toEqual([false, false])
    expect((await get()).body).toBe('whole')
  })

  test('web streams and Responses are stored as they were sent', async () => {
    const { get } = await serve({
      routes(app) {
        const headers = { 'Cache-Control': SHARED }
        app.get('/response', () => new Response('response', { headers }) as never)
        app.get('/web', (_request, reply) => reply.headers(headers).send(new Blob(['web']).stream()))
      },
    })
    for (const path of ['/response', '/web']) {
      await get(path)
      await expect.poll(async () => statusOf(await get(path))).toEqual(isHit)
      expect((await get(path)).body).toBe(path.slice(1))
    }
  })

  test('of events that a handler writes to a hijacked response nobody else gets any', async () => {
    let runs = 0
    const { url } = await serve({
      routes: (app) =>
        app.get('/events', (_request, reply) => {
          reply.hijack()
          reply.raw.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': SHARED })
          reply.raw.write(`data: ${++runs}\n\n`)
        }),
    })
    const asked = [open(`${url}/events`), open(`${url}/events`)]
    const responses = await Promise.all(asked.map(({ response }) => response))
    expect([responses.map(({ statusCode }) => statusCode), runs]).toEqual([[200, 200], 2])
    for (const each of asked) each.leave()
  })
})

describe('errors', () => {
  test('are Fastify’s to answer, and give way to a stale response', async () => {
    let runs = 0
    const { get, clock } = await stale({
      outside: (app) =>
        app.setErrorHandler((error: Error, _request, reply) => reply.code(503).send(`handled: ${error.message}`)),
      routes: (app) =>
        app.get('/page', async (_request, reply) => {
          if (++runs > 1) throw new Error('out of order')
          void reply.header('Cache-Control', 'max-age=60, stale-if-error=60')
          return 'page'
        }),
    })
    expect(await get()).toMatchObject({ status: 200, body: 'page' })
    clock.skip(120_000)
    expect(await get()).toMatchObject({ status: 503, body: 'handled: out of order' })
  })

  test('of a herd are each request’s own, at once', async () => {
    const { get } = await serve({
      routes: (app) =>
        app.get('/page', async () => {
          await Promise.resolve()
          throw new Error('out of order')
        }),
    })
    const answers = await Promise.all(Array.from({ length: 20 }, () => get()))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([500]))
  })

  test('of a function of the options are answered as those of hooks', async () => {
    const bypass = (): boolean => {
      throw new Error('no idea')
    }
    const { get } = await serve({ routes: (app) => app.get('/page', () => 'page'), options: { bypass } })
    expect(await get()).toMatchObject({ status: 500, body: expect.stringContaining('no idea') as unknown })
  })
})
