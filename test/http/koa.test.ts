import { createServer } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import { createGzip } from 'node:zlib'

import Koa from 'koa'
import Koa2 from 'koa2'
import { describe, expect, test } from 'vitest'

import { createKoaFlight, type KoaFlight } from '../../src/middleware/koa/single-flight.ts'
import { systemRandom } from '../../src/random.ts'
import { type Ask, ask, letLeave, open, readAll } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { listen, makeFlight, refilled, type ServeOptions } from './support/serve.ts'

const SHARED = 'public, max-age=60, stale-while-revalidate=60'
const VERSIONS = [
  ['Koa 3', Koa],
  ['Koa 2', Koa2 as never],
] as const

type Handler = (context: Koa.Context, next: Koa.Next) => unknown
/** Bodies that Koa 3 knows. */
const ofTheWeb: Array<[string, () => unknown, string]> = [
  ['a Blob', () => new Blob(['a ', 'blob'], { type: 'text/x' }), 'a blob'],
  ['a stream of the web', () => new Blob(['web']).stream(), 'web'],
  ['a Response', () => new Response('response', { headers: { 'Content-Type': 'text/y' } }), 'response'],
]

interface Site {
  outside?: Handler[]
  handler: Handler
  options?: ServeOptions
  mounted?: (flight: KoaFlight) => Koa.Middleware
}

describe.each(VERSIONS)('%s', (_version, Framework: typeof Koa) => {
  async function serve({ outside = [], handler, options, mounted = (flight) => flight }: Site) {
    const { clock, cache } = makeFlight(options)
    const flight = createKoaFlight({ ...options, cache }, { clock, random: systemRandom })
    const app = new Framework()
    const errors: unknown[] = []
    app.on('error', (error) => errors.push(error))
    for (const layer of outside) app.use(layer)
    app.use(mounted(flight))
    app.use(handler)
    const callback = app.callback()
    const { url } = await listen(createServer((req, res) => void callback(req, res)))
    const get = (path = '/page', options: Ask = {}) => ask(url + path, options)
    return { clock, cache, url, get, errors }
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

  const page = (body: (run: number) => unknown, control = SHARED) => {
    const runs = { count: 0 }
    const handler: Handler = (context) => {
      runs.count++
      context.set('Cache-Control', control)
      context.body = body(runs.count)
    }
    return { runs, handler }
  }

  test('a hundred requests at once run the handler once; then they are hits', async () => {
    const gate = new Gate()
    const { runs, handler } = page((run) => ({ run }))
    const { get } = await serve({
      handler: async (context, next) => {
        await gate.pass()
        handler(context, next)
      },
    })
    const asked = Array.from({ length: 100 }, async () => (await get()).body)
    await gate.reached
    gate.open()
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['{"run":1}']))
    const hit = await get()
    expect([hit.headers['cache-status'], hit.body, runs.count]).toEqual([
      expect.stringContaining('herdlock; hit'),
      '{"run":1}',
      1,
    ])
    expect(hit.headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', 'content-length': '9' })
  })

  test.each<[string, () => unknown, string]>([
    ['text', () => 'text', 'text'],
    ['nothing but a status', () => '', ''],
    ['bytes', () => Buffer.from('bytes'), 'bytes'],
    ['a stream', () => Readable.from(['a ', 'stream']), 'a stream'],
    ['a stream of bytes that is piped', () => new PassThrough().end('piped'), 'piped'],
    ['an object', () => ({ a: 1 }), '{"a":1}'],
    ...(Framework === Koa ? ofTheWeb : []),
  ])('what is stored of %s is what was sent', async (_kind, body, expected) => {
    const { get } = await serve(page(body))
    const miss = await get()
    await expect.poll(async () => (await get()).headers['cache-status']).toContain('hit')
    const hit = await get()
    expect([miss.body, hit.body]).toEqual([expected, expected])
    expect(hit.headers['content-type']).toBe(miss.headers['content-type'])
  })

  test('a stale answer is sent at once; the refill has a context whose answer is nobody’s', async () => {
    const log: string[] = []
    const gate = new Gate()
    const { runs, handler } = page((run) => `run ${run}`, `${SHARED}, no-cache="set-cookie"`)
    const { get, cache, errors } = await stale({
      outside: [
        async (context, next) => {
          context.state['user'] = context.cookies.get('user') ?? 'Ada'
          context.set('X-Request-Id', String(log.length))
          await next()
          log.push(`${context.status} ${context.response.get('cache-status').slice(0, 13)}`)
          context.set('X-After', 'yes')
        },
      ],
      handler: async (context, next) => {
        handler(context, next)
        context.cookies.set('run', String(runs.count))
        if (runs.count > 1) await gate.pass()
        context.body = `${String(context.body)} for ${String(context.state['user'])}`
      },
    })
    const again = refilled(cache)
    const old = await get()
    expect([old.headers['cache-status'], old.body]).toEqual([expect.stringContaining('hit; ttl=-'), 'run 1 for Ada'])
    await gate.reached
    expect((await get()).body).toBe('run 1 for Ada')
    gate.open()
    await again
    const fresh = await get()
    expect([fresh.headers['cache-status'], fresh.body]).toEqual([expect.stringContaining('; hit'), 'run 2 for Ada'])
    expect([fresh.headers['x-request-id'], fresh.headers['x-after']]).toEqual(['3', 'yes'])
    expect([log.length, runs.count, errors]).toEqual([4, 2, []])
  })

  test('a refill in the background sees the path that layers outside have made', async () => {
    const paths: string[] = []
    const { get, cache } = await stale({
      outside: [
        async (context, next) => {
          const { path } = context
          context.path = path.slice('/mount'.length) || '/'
          await next()
          context.path = path
        },
      ],
      handler: (context) => {
        paths.push(context.path)
        context.set('Cache-Control', SHARED)
        context.body = context.originalUrl
      },
    })
    const again = refilled(cache)
    expect((await get()).body).toBe('/page')
    await again
    expect(paths).toEqual(['/', '/'])
  })

  test('the whole target is the key where layers outside take a part off it', async () => {
    const { get } = await serve({
      outside: [
        (context, next) => {
          context.path = '/'
          return next()
        },
      ],
      ...page(() => 'page'),
    })
    const first = await get('/a')
    const other = await get('/b')
    expect([first.headers['cache-status'], other.headers['cache-status']]).toEqual([
      expect.stringContaining('uri-miss'),
      expect.stringContaining('uri-miss'),
    ])
  })

  test('fields of layers outside are each request’s own; Vary is joined', async () => {
    const { get } = await serve({
      outside: [
        (context, next) => {
          context.set('Access-Control-Allow-Origin', context.get('Origin'))
          context.vary('Origin')
          return next()
        },
      ],
      handler: (context) => {
        context.set('Cache-Control', SHARED)
        context.vary('Accept')
        context.body = 'page'
      },
    })
    const from = (origin: string) => get('/page', { headers: { Origin: origin } })
    await from('http://a.example')
    await expect.poll(async () => (await from('http://a.example')).headers['cache-status']).toContain('hit')
    const hit = await from('http://a.example')
    expect(hit.headers['access-control-allow-origin']).toBe('http://a.example')
    expect(hit.headers['vary']).toBe('Origin, Accept')
  })

  test('layers outside transform hits as they do misses', async () => {
    const { get } = await serve({
      outside: [
        async (context, next) => {
          await next()
          const body: unknown = context.body
          const gzip = createGzip()
          context.remove('Content-Length')
          context.set('Content-Encoding', 'gzip')
          context.body = body instanceof Readable ? body.pipe(gzip) : gzip.end(body as Buffer) && gzip
        },
      ],
      ...page(() => 'page'),
    })
    expect((await get()).body).toBe('page')
    await expect.poll(async () => (await get()).headers['cache-status']).toContain('hit')
    const hit = await get()
    expect([hit.body, hit.headers['content-encoding']]).toEqual(['page', 'gzip'])
  })

  test('what is not for others reaches layers outside as the handler has made it', async () => {
    const bodies: unknown[] = []
    const { get } = await serve({
      outside: [
        async (context, next) => {
          await next()
          bodies.push(context.body)
          if (context.status === 404 && context.body === undefined) context.body = 'a page of their own'
        },
      ],
      handler: (context) => {
        if (context.path !== '/page') return
        context.set('Cache-Control', 'private')
        context.body = { of: 'Ada' }
      },
    })
    const own = await get()
    expect([own.body, own.headers['cache-status']]).toEqual(['{"of":"Ada"}', expect.stringContaining('detail=private')])
    expect((await get('/none')).body).toBe('a page of their own')
    expect(bodies).toEqual([{ of: 'Ada' }, undefined])
  })

  test('what a handler writes to Node’s response itself is nobody else’s', async () => {
    let runs = 0
    const { get, errors } = await serve({
      handler: (context) => {
        runs++
        context.respond = false
        context.res.writeHead(200, { 'Cache-Control': SHARED }).end('raw')
      },
    })
    expect([(await get()).body, (await get()).body, runs, errors]).toEqual(['raw', 'raw', 2, []])
  })

  test('a layer outside that answers meanwhile is heeded, and nobody else notices', async () => {
    const [gate, timeout] = [new Gate(), new Gate()]
    let runs = 0
    const { get, url } = await serve({
      outside: [
        async (context, next) => {
          if (context.get('X-Hasty') === '') return next()
          void next()
          await timeout.pass()
          context.status = 503
          context.body = 'too slow'
          return undefined
        },
      ],
      handler: async (context) => {
        if (++runs === 1) await gate.pass()
        context.set('Cache-Control', SHARED)
        context.body = `run ${runs}`
      },
    })
    const hasty = { headers: { 'X-Hasty': 'yes' } }
    const first = get('/page', hasty)
    await gate.reached
    const [second, third] = [get('/page', hasty), get()]
    await letLeave(url)
    timeout.open()
    expect(await first).toMatchObject({ status: 503, body: 'too slow' })
    expect(await second).toMatchObject({ status: 503, body: 'too slow' })
    gate.open()
    expect(await third).toMatchObject({ status: 200, body: 'run 2' })
    await expect.poll(async () => (await get()).headers['cache-status']).toContain('hit')
    expect(runs).toBeLessThanOrEqual(3)
  })

  test('a HEAD, a POST and what no handler answers', async () => {
    const { get } = await serve({
      handler: (context) => {
        if (context.path !== '/page') return
        context.set('Cache-Control', SHARED)
        context.body = context.method === 'POST' ? 'changed' : 'page'
      },
    })
    const alone = await get('/page', { method: 'HEAD' })
    expect([alone.headers['content-length'], alone.body]).toEqual(['4', ''])
    await get()
    await expect.poll(async () => (await get()).headers['cache-status']).toContain('hit')
    const head = await get('/page', { method: 'HEAD' })
    expect([head.headers['cache-status'], head.headers['content-length'], head.body]).toEqual([
      expect.stringContaining('hit'),
      '4',
      '',
    ])
    const post = await get('/page', { method: 'POST' })
    expect(post.headers['cache-status']).toBe('herdlock; fwd=method; fwd-status=200')
    expect((await get()).headers['cache-status']).not.toContain('hit')
    const none = await get('/none')
    expect([none.status, none.body]).toEqual([404, 'Not Found'])
  })

  test('conditional and range requests, of what is stored and of what is being made', async () => {
    const [asked, seenOutside] = [[] as string[], [] as string[]]
    const { get } = await serve({
      outside: [
        async (context, next) => {
          await next()
          seenOutside.push(context.get('If-None-Match'))
        },
      ],
      handler: (context) => {
        asked.push(context.get('If-None-Match'), context.get('Range'))
        context.set('Cache-Control', SHARED)
        context.etag = '1'
        context.body = '0123456789'
      },
    })
    const conditional = { headers: { 'If-None-Match': '"1"' } }
    expect(await get('/page', conditional)).toMatchObject({ status: 304, body: '' })
    await expect.poll(async () => (await get()).headers['cache-status']).toContain('hit')
    expect(await get('/page', conditional)).toMatchObject({ status: 304, body: '' })
    expect(await get('/page', { headers: { Range: 'bytes=2-4' } })).toMatchObject({ status: 206, body: '234' })
    expect([asked, seenOutside[0]]).toEqual([['', ''], '"1"'])
  })

  test('a stale response is validated, and the handler’s 304 renews it', async () => {
    const seen: string[] = []
    const { get, cache } = await stale({
      handler: (context) => {
        seen.push(context.get('If-None-Match'))
        context.set('Cache-Control', SHARED)
        context.etag = '1'
        context.body = 'page'
        if (context.fresh) context.status = 304
      },
    })
    const again = refilled(cache)
    expect((await get()).body).toBe('page')
    await again
    const fresh = await get()
    expect([fresh.status, fresh.headers['cache-status'], fresh.body]).toEqual([
      200,
      expect.stringMatching(/hit; ttl=(59|60)/),
      'page',
    ])
    expect(seen).toEqual(['', '"1"'])
  })

  test('those who wait get a stream as it comes, and all of it though the first client leaves', async () => {
    const source = new PassThrough()
    const gate = new Gate()
    const { url, get } = await serve({
      handler: async (context) => {
        await gate.pass()
        context.set('Cache-Control', SHARED)
        context.body = source
      },
    })
    const first = open(`${url}/page`)
    await gate.reached
    const second = open(`${url}/page`)
    const third = open(`${url}/page`)
    gate.open()
    source.write('begun ')
    const responses = await Promise.all([first, second, third].map(({ response }) => response))
    first.leave()
    await letLeave(url)
    source.end('and ended')
    const answers = await Promise.all(responses.slice(1).map(readAll))
    expect(answers.map(({ body, complete }) => [body, complete])).toEqual([
      ['begun and ended', true],
      ['begun and ended', true],
    ])
    await expect.poll(async () => (await get()).headers['cache-status']).toContain('hit')
  })

  test('a first client that leaves before its handler has answered spoils nothing, and reports no error', async () => {
    const gate = new Gate()
    const { url, get, errors } = await serve({
      handler: async (context) => {
        await gate.pass()
        context.set('Cache-Control', SHARED)
        context.body = Readable.from(['page'])
      },
    })
    const first = open(`${url}/page`)
    await gate.reached
    const second = get()
    first.leave()
    await letLeave(url)
    gate.open()
    expect((await second).body).toBe('page')
    expect(errors).toEqual([])
  })

  test('a stream that breaks off ends the answers of all who have begun, and nothing is stored', async () => {
    const source = new PassThrough()
    const { url, get } = await serve({
      handler: (context) => {
        context.set('Cache-Control', SHARED)
        context.body = context.path === '/page' ? source : 'other'
      },
    })
    const first = open(`${url}/page`)
    source.write('begun')
    const response = await first.response
    const second = await open(`${url}/page`).response
    source.destroy(new Error('broken'))
    expect((await Promise.all([response, second].map(readAll))).map(({ complete }) => complete)).toEqual([false, false])
    expect((await get('/other')).body).toBe('other')
  })

  test('an error of a handler is Koa’s to answer, and gives way to a stale response', async () => {
    let runs = 0
    const { get, clock, errors } = await stale({
      handler: (context) => {
        if (++runs > 1) context.throw(503, 'out of order', { expose: true })
        context.set('Cache-Control', 'max-age=60, stale-if-error=60')
        context.body = 'page'
      },
    })
    const instead = await get()
    expect([instead.status, instead.body]).toEqual([200, 'page'])
    expect(errors).toEqual([])
    clock.skip(120_000)
    const failed = await get()
    expect([failed.status, failed.body]).toEqual([503, 'out of order'])
  })

  test('a herd behind a handler that fails gets its own errors, at once', async () => {
    const { get } = await serve({
      handler: async (context) => {
        await Promise.resolve()
        context.throw(500)
      },
    })
    const answers = await Promise.all(Array.from({ length: 20 }, () => get()))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([500]))
  })
})
