import express from 'express'
import { createServer } from 'node:http'
import { describe, expect, test } from 'vitest'

import { ask } from './support/client.ts'
import { listen, makeFlight, refilled, serve } from './support/serve.ts'

const BODY = '0123456789'

describe('answered from the stored 200', () => {
  async function stored() {
    let runs = 0
    const served = await serve((_req, res) => {
      runs++
      res.setHeader('Cache-Control', 'max-age=60')
      res.setHeader('ETag', '"v1"')
      res.setHeader('Last-Modified', 'Tue, 02 Jan 2024 00:00:00 GMT')
      res.setHeader('Content-Type', 'text/plain')
      res.end(BODY)
    })
    await ask(served.url)
    return {
      runs: () => runs,
      get: (headers: Record<string, string>, method = 'GET') => ask(served.url, { headers, method }),
    }
  }

  test.each([
    ['If-None-Match with the tag', { 'If-None-Match': '"v1"' }, 304],
    ['If-None-Match with the tag as weak', { 'If-None-Match': 'W/"v1"' }, 304],
    ['If-None-Match with the tag among others', { 'If-None-Match': '"v0", "v1"' }, 304],
    ['If-None-Match with any tag', { 'If-None-Match': '*' }, 304],
    ['If-None-Match with another tag', { 'If-None-Match': '"v2"' }, 200],
    [
      'If-None-Match before If-Modified-Since',
      { 'If-None-Match': '"v2"', 'If-Modified-Since': 'Wed, 03 Jan 2024 00:00:00 GMT' },
      200,
    ],
    ['If-Modified-Since at that time', { 'If-Modified-Since': 'Tue, 02 Jan 2024 00:00:00 GMT' }, 304],
    ['If-Modified-Since before', { 'If-Modified-Since': 'Mon, 01 Jan 2024 00:00:00 GMT' }, 200],
    ['If-Modified-Since that is no date', { 'If-Modified-Since': 'yesterday' }, 200],
  ])('%s', async (_name, headers, status) => {
    const { get, runs } = await stored()
    for (const method of ['GET', 'HEAD']) {
      const answer = await get(headers, method)
      expect(answer.status).toBe(status)
      expect(answer.body).toBe(status === 200 && method === 'GET' ? BODY : '')
      expect(answer.headers['etag']).toBe('"v1"')
      expect(answer.headers['content-length']).toBe(status === 304 ? undefined : String(BODY.length))
    }
    expect(runs()).toBe(1)
  })

  test.each([
    ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
    ['bytes=4-', 206, '456789', 'bytes 4-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=8-100', 206, '89', 'bytes 8-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=0-1,5-6', 200, BODY, undefined],
    ['bytes=5-6,7-8', 206, '5678', 'bytes 5-8/10'],
    ['lines=0-1', 200, BODY, undefined],
    ['bytes=x', 200, BODY, undefined],
  ])('Range: %s', async (range, status, body, contentRange) => {
    const { get, runs } = await stored()
    const answer = await get({ Range: range })
    expect([answer.status, answer.body, answer.headers['content-range']]).toEqual([status, body, contentRange])
    expect(answer.headers['content-length']).toBe(String(body.length))
    expect(runs()).toBe(1)
  })

  test.each([
    ['the tag', '"v1"', 206],
    ['another tag', '"v2"', 200],
    ['a weak tag', 'W/"v1"', 200],
    ['the date', 'Tue, 02 Jan 2024 00:00:00 GMT', 206],
    ['another date', 'Wed, 03 Jan 2024 00:00:00 GMT', 200],
  ])('Range with If-Range: %s', async (_name, ifRange, status) => {
    const { get } = await stored()
    expect((await get({ Range: 'bytes=0-0', 'If-Range': ifRange })).status).toBe(status)
  })
})

test.each(['If-Match', 'If-Unmodified-Since'])('%s is for the handler alone: RFC 9111 section 4.3.2', async (name) => {
  const seen: unknown[] = []
  const { url } = await serve((req, res) => {
    const precondition = req.headers[name.toLowerCase()]
    seen.push(precondition)
    res.setHeader('Cache-Control', 'max-age=60')
    res.setHeader('ETag', '"v1"')
    res.statusCode = precondition === undefined ? 200 : 412
    res.end()
  })
  await ask(url)
  for (const method of ['GET', 'HEAD'])
    expect((await ask(url, { method, headers: { [name]: '"v1"' } })).status).toBe(412)
  expect((await ask(url)).headers['cache-status']).toContain('hit')
  expect(seen).toEqual([undefined, '"v1"', '"v1"'])
})

describe('a fill', () => {
  test('does not see what the client wants less than', async () => {
    const seen: unknown[] = []
    const { url } = await serve((req, res) => {
      seen.push(['if-none-match', 'if-modified-since', 'range', 'if-range'].map((name) => req.headers[name]))
      seen.push(req.rawHeaders.filter((name) => /^(if-|range)/i.test(name)))
      res.setHeader('Cache-Control', 'max-age=60')
      res.setHeader('ETag', '"v1"')
      res.end(BODY)
    })
    const wanted = { 'If-None-Match': '"v0"', Range: 'bytes=0-0', 'If-Range': '"v1"' }
    expect((await ask(url, { headers: wanted })).body).toBe('0')
    expect(seen).toEqual([[undefined, undefined, undefined, undefined], []])
  })

  test('of a stale response is conditional, and a 304 gives that a new life and new fields', async () => {
    const seen: Array<string | undefined> = []
    const { url, clock } = await serve((req, res) => {
      const known = req.headers['if-none-match']
      seen.push(known)
      res.setHeader('Cache-Control', 'max-age=60')
      res.setHeader('ETag', '"v1"')
      res.setHeader('X-Run', seen.length)
      if (known === '"v1"') {
        res.statusCode = 304
        res.end()
      } else res.end(BODY)
    })
    await ask(url)
    clock.skip(61_000)
    const validated = await ask(url)
    expect([validated.status, validated.body, validated.headers['x-run']]).toEqual([200, BODY, '2'])
    expect(validated.headers['cache-status']).toBe('herdlock; fwd=stale; fwd-status=304; stored')
    clock.skip(30_000)
    const hit = await ask(url, { headers: { 'If-None-Match': '"v1"' } })
    expect([hit.status, hit.headers['x-run'], hit.headers['age']]).toEqual([304, '2', '30'])
    expect(seen).toEqual([undefined, '"v1"'])
  })

  test('by express.static is validated with what Express itself says', async () => {
    const made = makeFlight()
    const app = express()
    app.use(made.flight as never)
    app.use(express.static(new URL('../../docs', import.meta.url).pathname, { maxAge: 60_000 }))
    const { url } = await listen(createServer(app))
    const first = await ask(`${url}/http.md`)
    made.clock.skip(61_000)
    const second = await ask(`${url}/http.md`)
    expect([second.status, second.body]).toEqual([200, first.body])
    expect(second.headers['cache-status']).toContain('fwd-status=304')
    expect((await ask(`${url}/http.md`, { headers: { Range: 'bytes=0-9' } })).body).toBe(first.body.slice(0, 10))
  })

  test('that fails leaves the stale response to be sent, while stale-if-error lasts', async () => {
    let fails = false
    const { url, clock } = await serve((_req, res) => {
      res.statusCode = fails ? 503 : 200
      res.setHeader('Cache-Control', fails ? 'no-store' : 'max-age=60, stale-if-error=60')
      res.setHeader('ETag', '"v1"')
      res.end(fails ? 'out of order' : BODY)
    })
    await ask(url)
    fails = true
    clock.skip(61_000)
    const answers = await Promise.all([ask(url), ask(url), ask(url)])
    expect(answers.map(({ status, body }) => [status, body])).toEqual(Array(3).fill([200, BODY]))
    clock.skip(61_000)
    expect((await ask(url)).status).toBe(503)
  })

  test.each(['must-revalidate', 'proxy-revalidate'])(
    'of a stale response with %s does not hide a failure',
    async (directive) => {
      let fails = false
      const { url, clock } = await serve(
        (_req, res) => {
          res.statusCode = fails ? 503 : 200
          res.setHeader('Cache-Control', `max-age=60, stale-while-revalidate=60, stale-if-error=60, ${directive}`)
          res.setHeader('ETag', '"v1"')
          res.end(BODY)
        },
        { staleIfError: 60_000 },
      )
      await ask(url)
      fails = true
      clock.skip(61_000)
      expect((await ask(url)).status).toBe(503)
    },
  )

  test('in the background that is answered by 304 freshens too', async () => {
    const { url, clock, cache } = await serve((req, res) => {
      res.setHeader('Cache-Control', 'max-age=60, stale-while-revalidate=60')
      res.setHeader('ETag', '"v1"')
      if (req.headers['if-none-match'] === '"v1"') res.writeHead(304).end()
      else res.end(BODY)
    })
    await ask(url)
    clock.skip(61_000)
    const freshened = refilled(cache)
    expect((await ask(url, { headers: { Range: 'bytes=0-0' } })).body).toBe('0')
    await freshened
    expect((await ask(url)).headers['cache-status']).toMatch(/hit; ttl=(59|60)/)
  })
})
