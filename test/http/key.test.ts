import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'

import connect from 'connect'
import express from 'express'
import express4 from 'express4'
import { describe, expect, onTestFinished, test, vi } from 'vitest'

import type { SingleFlightOptions } from '../../src/middleware/node/single-flight.ts'
import { ask } from './support/client.ts'
import { listen, makeFlight, serve } from './support/serve.ts'

const FRAMEWORKS = { 'Express 5': express, 'Express 4': express4 as unknown as typeof express }

/** Which of these requests share an answer, one after the other: the number of the run that each of them got. */
async function runsOf(
  requests: ReadonlyArray<{ path?: string; headers?: Record<string, string> }>,
  options: SingleFlightOptions = {},
  vary?: string,
): Promise<number[]> {
  let runs = 0
  const { url } = await serve((_req, res) => {
    res.setHeader('Cache-Control', 'public, max-age=60')
    if (vary !== undefined) res.setHeader('Vary', vary)
    res.end(String(++runs))
  }, options as never)
  const got: number[] = []
  for (const { path = '/', headers = {} } of requests) got.push(Number((await ask(url + path, { headers })).body))
  return got
}

const withHeaders = (...all: Array<Record<string, string>>) => all.map((headers) => ({ headers }))

describe('what is told apart', () => {
  test.each([
    ['addresses in Forwarded are not', [{ Forwarded: 'for=a' }, { Forwarded: 'for=b;by=c' }, {}], [1, 1, 1]],
    [
      'its host and proto are',
      [{ Forwarded: 'for=a;proto=https' }, { Forwarded: 'for=b;proto=https' }, { Forwarded: 'proto=http' }, {}],
      [1, 1, 2, 3],
    ],
    ['the default port of a plain connection is not', [{ Host: 'a' }, { Host: 'a:80' }, { Host: 'a:443' }], [1, 1, 2]],
    [
      'nor that of https behind a proxy, where that of http is no default',
      [
        { Host: 'a', 'X-Forwarded-Proto': 'https' },
        { Host: 'a:443', 'X-Forwarded-Proto': 'https' },
        { Host: 'a:80', 'X-Forwarded-Proto': 'https' },
      ],
      [1, 1, 2],
    ],
    [
      'no port is a default where proxies contradict one another',
      [
        { Host: 'a', 'X-Forwarded-Proto': 'https, http' },
        { Host: 'a:443', 'X-Forwarded-Proto': 'https, http' },
        { Host: 'a:80', 'X-Forwarded-Proto': 'https, http' },
      ],
      [1, 2, 3],
    ],
  ])('%s', async (_name, headers, runs) => {
    expect(await runsOf(withHeaders(...(headers as Array<Record<string, string>>)))).toEqual(runs)
  })

  test('the authority and the Host of HTTP/2 are, and its scheme', async () => {
    const { flight } = makeFlight()
    let runs = 0
    const server = createHttp2((req, res) => {
      const handler = (): void => {
        res.setHeader('Cache-Control', 'max-age=60')
        res.end(String(++runs))
      }
      flight(req as unknown as IncomingMessage, res as unknown as ServerResponse, handler)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    onTestFinished(() => session.destroy())
    const askFor = (headers: Record<string, string>) =>
      new Promise<number>((resolve, reject) => {
        let body = ''
        session
          .request({ ':path': '/', ...headers })
          .on('data', (chunk: Buffer) => (body += chunk.toString()))
          .on('end', () => resolve(Number(body)))
          .on('error', reject)
          .end()
      })
    const got = [
      await askFor({ ':authority': 'a' }),
      await askFor({ ':authority': 'a' }),
      await askFor({ ':authority': 'b' }),
      await askFor({ ':authority': 'a', host: 'b' }),
      await askFor({ ':authority': 'a', ':scheme': 'https' }),
      await askFor({ ':authority': 'a', host: 'a' }),
    ]
    expect(got).toEqual([1, 1, 2, 3, 4, 1])
  })
})

describe.each(Object.entries(FRAMEWORKS))('a URL that was rewritten outside, %s', (_name, framework) => {
  test('is part of the key; one that lost its mount path is what it was', async () => {
    const { flight } = makeFlight()
    const app = framework()
    app.use((req, _res, next) => {
      if (req.headers['x-beta'] !== undefined) req.url = `/beta${req.url}`
      next()
    })
    app.use('/api', flight as never)
    app.use(flight as never)
    app.use((req, res) => void res.set('Cache-Control', 'max-age=60').send(req.url))
    const { url } = await listen(createServer(app as never))
    expect((await ask(`${url}/item`)).body).toBe('/item')
    expect((await ask(`${url}/item`, { headers: { 'X-Beta': '1' } })).body).toBe('/beta/item')
    expect((await ask(`${url}/item`)).headers['cache-status']).toContain('hit')
    // A middleware that is mounted there and one that is not find the same.
    await ask(`${url}/api/item?a`)
    expect((await ask(`${url}/api/item?a`)).headers['cache-status']).toContain('hit')
  })

  test.each(['/api', '/api/', '/api?a', '/api/x'])(
    'a POST to its mount path forgets %s that is named',
    async (path) => {
      const { flight } = makeFlight()
      const app = framework()
      app.use('/api', flight as never)
      app.get(/.*/, (_req, res) => void res.set('Cache-Control', 'max-age=60').send('page'))
      app.post(/.*/, (_req, res) => void res.set('Location', path).status(201).end())
      const { url } = await listen(createServer(app as never))
      await ask(url + path)
      expect((await ask(url + path)).headers['cache-status']).toContain('hit')
      await ask(`${url}/api/new`, { method: 'POST' })
      expect((await ask(url + path)).headers['cache-status']).not.toContain('hit')
    },
  )
})

test.each(['/api', '/api/', '/api/x'])('the same under Connect: %s', async (path) => {
  const { flight } = makeFlight()
  const app = connect()
  app.use('/api', flight as never)
  app.use((req, res) => {
    if (req.method === 'POST') res.writeHead(201, { Location: path }).end()
    else res.writeHead(200, { 'Cache-Control': 'max-age=60' }).end()
  })
  const { url } = await listen(createServer(app))
  await ask(url + path)
  expect((await ask(url + path)).headers['cache-status']).toContain('hit')
  await ask(`${url}/api/new`, { method: 'POST' })
  expect((await ask(url + path)).headers['cache-status']).not.toContain('hit')
})

describe('Location and Content-Location make the page be forgotten that they name', () => {
  const PROXY = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'shop.example', 'X-Forwarded-For': '10.0.0.1' }
  test.each([
    ['plain', {}, {}, '/items'],
    ['relative', {}, {}, 'items?a'],
    ['by the whole URL', {}, {}, 'http://127.0.0.1:PORT/items'],
    ['behind a proxy', {}, PROXY, '/items'],
    ['behind a proxy, by the URL that it knows', {}, PROXY, 'https://shop.example/items'],
    ['behind a proxy, with its default port', {}, PROXY, 'https://shop.example:443/items'],
    ['Forwarded', {}, { Forwarded: 'for=a;proto=https;host="shop.example"' }, 'https://shop.example/items'],
    ['behind a proxy that knows no host', {}, { 'X-Forwarded-Host': '][' }, '/items'],
    ['keyHeaders', { keyHeaders: ['X-Tenant'] }, { 'X-Tenant': 'a' }, '/items'],
    ['key', { key: (req: IncomingMessage) => `page ${req.url}` }, {}, '/items'],
    ['ignoreQuery', { ignoreQuery: ['utm_*'] }, {}, '/items?utm_source=mail'],
  ])('%s', async (_name, options, headers, location) => {
    for (const name of ['Location', 'Content-Location']) {
      const { url } = await serve((req, res) => {
        if (req.method === 'POST') {
          res.writeHead(201, { [name]: location.replace('PORT', new URL(url).port) }).end()
        } else res.writeHead(200, { 'Cache-Control': 'max-age=60' }).end('page')
      }, options as never)
      const page = url + (location.includes('?a') ? '/items?a' : '/items')
      await ask(page, { headers })
      expect((await ask(page, { headers })).headers['cache-status']).toContain('hit')
      await ask(`${url}/new`, { method: 'POST', headers })
      expect((await ask(page, { headers })).headers['cache-status']).not.toContain('hit')
    }
  })

  test.each(['https://other.example/items', '//other.example/items', 'ftp://127.0.0.1/items', 'http://', '%'])(
    'but not one of another host, or none: %s',
    async (location) => {
      const { url } = await serve((req, res) => {
        if (req.method === 'POST') res.writeHead(201, { Location: location }).end()
        else res.writeHead(200, { 'Cache-Control': 'max-age=60' }).end('page')
      })
      await ask(`${url}/items`)
      await ask(`${url}/new`, { method: 'POST' })
      expect((await ask(`${url}/items`)).headers['cache-status']).toContain('hit')
    },
  )
})

describe('options of the key', () => {
  test('ignoreQuery: parameters that are no part of it, by name, pattern or function', async () => {
    const requests = [{ path: '/?a=1' }, { path: '/?utm_source=x&a=1' }, { path: '/?a=1&gclid' }, { path: '/?a=2' }]
    expect(await runsOf(requests, { ignoreQuery: ['utm_*', 'gclid'] })).toEqual([1, 1, 1, 2])
    expect(await runsOf(requests, { ignoreQuery: (name) => name !== 'a' })).toEqual([1, 1, 1, 2])
    expect(await runsOf(requests)).toEqual([1, 2, 3, 4])
  })

  test('sortQuery: the order of parameters is none', async () => {
    const requests = [{ path: '/?a=1&b=2' }, { path: '/?b=2&a=1' }, { path: '/?a=2&b=1' }]
    expect(await runsOf(requests, { sortQuery: true })).toEqual([1, 1, 2])
    expect(await runsOf(requests)).toEqual([1, 2, 3])
  })

  test('allowCookies: these cookies are, others do not matter', async () => {
    const requests = withHeaders(
      ...[{}, { Cookie: 'sid=1' }, { Cookie: 'theme=dark; sid=2' }, { Cookie: 'sid=3;theme=dark' }],
      ...[{ Cookie: 'theme=light' }, {}],
    )
    const options = { ttl: 60_000, allowCookies: ['theme'] }
    expect(await runsOf(requests, options)).toEqual([1, 1, 2, 2, 3, 1])
    expect(await runsOf(requests, options, 'Cookie')).toEqual([1, 1, 2, 2, 3, 1])
  })

  test('varyNormalise: requests that prefer the same share a variant', async () => {
    const requests = withHeaders(
      ...[{ 'Accept-Language': 'de-DE,de;q=0.9,en;q=0.8' }, { 'Accept-Language': 'de, fr;q=0.9, en;q=0.5' }],
      ...[{ 'Accept-Language': 'en' }, { 'Accept-Language': 'en-GB, en;q=0.9' }, {}],
    )
    const varyNormalise = { 'Accept-Language': ['de', 'en'] }
    expect(await runsOf(requests, { varyNormalise }, 'Accept-Language')).toEqual([1, 1, 2, 2, 3])
    expect(await runsOf(requests, {}, 'Accept-Language')).toEqual([1, 2, 3, 4, 5])
  })

  test('bypass: requests that pass through', async () => {
    const requests = withHeaders({}, { 'X-Preview': '1' }, { 'X-Preview': '1' }, {})
    expect(
      await runsOf(requests, { bypass: (req) => new Headers(req.headers as Record<string, string>).has('x-preview') }),
    ).toEqual([1, 2, 3, 1])
  })
})

test.each(['takes it', 'throws'])('waitUntil is handed the refill in the background, and %s', async (how) => {
  const handed: Array<Promise<unknown>> = []
  const warned = vi.spyOn(process, 'emitWarning').mockReturnValue()
  onTestFinished(() => warned.mockRestore())
  let runs = 0
  const { url, clock } = await serve(
    (_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60, stale-while-revalidate=60')
      res.end(String(++runs))
    },
    {
      waitUntil: (work) => {
        handed.push(work)
        if (how === 'throws') throw new Error('of the host')
      },
    },
  )
  await ask(url)
  expect(handed).toEqual([])
  clock.skip(61_000)
  expect((await ask(url)).body).toBe('1')
  await expect.poll(() => handed.length).toBe(1)
  await Promise.all(handed)
  await expect.poll(async () => (await ask(url)).body).toBe('2')
  expect([runs, warned.mock.calls.length]).toEqual([2, how === 'throws' ? 1 : 0])
})

describe('two middlewares on the way of one request', () => {
  async function twoOn(outer: SingleFlightOptions, inner: SingleFlightOptions, control?: string) {
    const app = express()
    const { flight, cache } = makeFlight(outer as never)
    const within = makeFlight({ ...inner, cacheOptions: {} } as never)
    app.use(flight as never)
    app.use('/api', within.flight as never)
    let runs = 0
    app.get('/api/x', (_req, res) => {
      if (control !== undefined) res.set('Cache-Control', control)
      res.send(`run ${++runs}`)
    })
    const { url } = await listen(createServer(app as never))
    return { cache, askWith: (headers: Record<string, string> = {}) => ask(`${url}/api/x`, { headers }) }
  }

  test('the options of the inner one count for its routes', async () => {
    for (const [outer, inner] of [
      [{}, { ttl: 60_000 }],
      [{ ttl: 60_000 }, {}],
    ]) {
      const { askWith } = await twoOn(outer ?? {}, inner ?? {})
      await askWith()
      expect((await askWith()).body).toBe('run 1')
    }
  })

  test('fields of its key tell requests apart', async () => {
    const { askWith } = await twoOn({}, { keyHeaders: ['X-Tenant'] }, 'max-age=60')
    expect((await askWith({ 'X-Tenant': 'a' })).body).toBe('run 1')
    expect((await askWith({ 'X-Tenant': 'b' })).body).toBe('run 2')
    expect((await askWith({ 'X-Tenant': 'a' })).body).toBe('run 1')
  })

  test.each([
    ['key', { key: () => 'same' }],
    ['bypass', { bypass: () => true }],
  ])('what it keeps to itself by %s is not shared by the outer one', async (detail, inner) => {
    const { askWith } = await twoOn({}, inner, 'max-age=60')
    for (const run of ['run 1', 'run 2']) {
      const answer = await askWith()
      expect(answer.body).toBe(run)
      expect(answer.headers['cache-status']).toContain(`detail=${detail}`)
    }
  })
})

test.each(Object.entries(FRAMEWORKS))(
  'an identity that a layer outside puts on the request counts, %s',
  async (_n, fw) => {
    const { flight } = makeFlight()
    const app = fw()
    app.use((req, _res, next) => {
      if (req.headers['x-api-key'] !== undefined)
        req.headers.authorization = `Bearer ${String(req.headers['x-api-key'])}`
      next()
    })
    app.use(flight as never)
    app.use((req, res) => void res.set('Cache-Control', 'max-age=60').send(req.headers.authorization ?? 'nobody'))
    const { url } = await listen(createServer(app as never))
    await ask(url)
    expect((await ask(url)).headers['cache-status']).toContain('hit')
    expect((await ask(url, { headers: { 'X-Api-Key': 'a' } })).body).toBe('Bearer a')
  },
)
