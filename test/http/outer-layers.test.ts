import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createGunzip } from 'node:zlib'

import compression from 'compression'
import onHeaders from 'on-headers'
import { describe, expect, test } from 'vitest'

import { ask, open } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { type Layer, MOUNTS, NODE_MOUNTS, type PlainHandler, serve } from './support/serve.ts'

const PUBLIC = 'public, max-age=60'

/** Counts in a field that it sets as late as it can. */
function lateLayer(name: 'writeHead' | 'end'): Layer {
  let count = 0
  return (_req, res, next) => {
    const base = res[name] as (...args: unknown[]) => unknown
    res[name] = function (this: ServerResponse, ...args: unknown[]) {
      res[name] = base as never
      if (!res.headersSent) res.setHeader('X-Late', String(++count))
      return Reflect.apply(base, this, args)
    } as never
    next()
  }
}

const page =
  (control: string): PlainHandler =>
  (_req, res) => {
    res.setHeader('Cache-Control', control)
    res.end('page')
  }

describe.each(NODE_MOUNTS)('%s', (mount) => {
  test.each([
    ['writeHead', PUBLIC],
    ['end', PUBLIC],
    ['writeHead', 'private'],
    ['end', 'private'],
  ] as const)(
    'a field that a layer outside sets in its %s arrives each time, of a page that says %s',
    async (name, control) => {
      const { url } = await serve(page(control), {}, mount, lateLayer(name))
      for (const count of ['1', '2', '3']) expect((await ask(url)).headers['x-late']).toBe(count)
      expect((await ask(url, { method: 'POST' })).headers['x-late']).toBe('4')
    },
  )

  test.each(['writeHead', 'end'] as const)(
    'a field that it sets in its %s arrives at those who follow',
    async (name) => {
      const gate = new Gate()
      const { url } = await serve(
        async (req, res) => {
          await gate.pass()
          await page(PUBLIC)(req, res)
        },
        {},
        mount,
        lateLayer(name),
      )
      const asked = [ask(url)]
      await gate.reached
      asked.push(ask(url), ask(url))
      await ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })
      gate.open()
      const late = (await Promise.all(asked)).map(({ headers }) => Number(headers['x-late']))
      expect(new Set(late).size).toBe(3)
      expect(late).not.toContain(Number.NaN)
    },
  )

  test('what it sets by on-headers is not stored, and what it is the first to set is its own', async () => {
    const { url } = await serve(page(PUBLIC), {}, mount, (req, res, next) => {
      onHeaders(res, () => res.setHeader('X-User', String(req.headers['x-user'])))
      res.setHeader('X-Id', String(req.headers['x-user']))
      next()
    })
    for (const user of ['alice', 'bob']) {
      const { headers } = await ask(url, { headers: { 'X-User': user } })
      expect([headers['x-user'], headers['x-id']]).toEqual([user, user])
    }
    expect((await ask(url)).headers['cache-status']).toContain('hit')
  })

  test('a hit keeps its Vary beside that of the page, and what the page adds to a field of its own', async () => {
    const outside: Layer = (req, res, next) => {
      if (req.headers.origin !== undefined) {
        res.setHeader('Access-Control-Allow-Origin', req.headers.origin)
        res.setHeader('Vary', 'Origin')
      }
      res.setHeader('Server-Timing', [`auth;desc="${String(req.headers['x-user'])}"`])
      next()
    }
    const { url } = await serve(
      (_req, res) => {
        res.appendHeader('Server-Timing', 'db')
        const before = res.getHeader('vary')
        res.setHeader('Vary', before === undefined ? 'Accept-Language' : `${String(before)}, Accept-Language`)
        res.setHeader('Cache-Control', PUBLIC)
        res.end('page')
      },
      {},
      mount,
      outside,
    )
    await ask(url, { headers: { 'X-User': 'alice' } })
    const { headers } = await ask(url, { headers: { 'X-User': 'bob', Origin: 'https://a.example' } })
    expect(headers['cache-status']).toContain('hit')
    expect(headers['vary']).toBe('Origin, Accept-Language')
    expect(headers['server-timing']).toBe('auth;desc="bob", db')
  })

  test('what is flushed through compression outside reaches those who follow', async () => {
    const gate = new Gate()
    const { url } = await serve(
      async (_req, res) => {
        res.setHeader('Cache-Control', PUBLIC)
        res.setHeader('Content-Type', 'text/html')
        res.write('<p>shell')
        ;(res as ServerResponse & { flush(): void }).flush()
        await gate.pass()
        res.end('</p>')
      },
      {},
      mount,
      compression() as unknown as Layer,
    )
    const begin = async (): Promise<string> => {
      const response = await open(url, { headers: { 'Accept-Encoding': 'gzip' } }).response
      const [first] = (await once(response.pipe(createGunzip()), 'data')) as [Buffer]
      return first.toString()
    }
    expect(await begin()).toBe('<p>shell')
    expect(await Promise.all([begin(), begin()])).toEqual(['<p>shell', '<p>shell'])
    gate.open()
  })

  test('a Range on a page that compression outside encodes gets the whole page', async () => {
    const body = 'row '.repeat(2000)
    const { url } = await serve(
      (_req, res) => {
        res.setHeader('Cache-Control', PUBLIC)
        res.setHeader('Content-Type', 'text/plain')
        res.end(body)
      },
      {},
      mount,
      compression() as unknown as Layer,
    )
    const range = { Range: 'bytes=0-3' }
    await ask(url)
    const encoded = await ask(url, { headers: { ...range, 'Accept-Encoding': 'gzip' } })
    expect([encoded.status, encoded.headers['content-encoding'], encoded.body]).toEqual([200, 'gzip', body])
    const plain = await ask(url, { headers: { ...range, 'Accept-Encoding': 'identity' } })
    expect([plain.status, plain.body]).toEqual([206, 'row '])
  })

  test('those who follow are told the age of what comes from further on', async () => {
    const gate = new Gate()
    const { url } = await serve(
      async (_req, res) => {
        res.writeHead(200, { 'Cache-Control': 'public, max-age=600', Age: '100' })
        res.write('page')
        await gate.pass()
        res.end()
      },
      {},
      mount,
    )
    const leader = open(url)
    expect((await leader.response).headers.age).toBe('100')
    const follower = await open(url).response
    gate.open()
    expect(Number(follower.headers.age)).toBeGreaterThanOrEqual(100)
  })
})

describe.each(MOUNTS)('asked for less than all, what turns out to be for one client alone, %s', (mount) => {
  const body = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 256))

  /** Writes in pieces, and says that it would send a part. */
  function inPieces(fields: Record<string, string>): PlainHandler {
    return (_req: IncomingMessage, res: ServerResponse) => {
      res.writeHead(200, { 'Cache-Control': 'private', 'Content-Length': body.length, ...fields })
      for (let at = 0; at < body.length; at += 30_000) res.write(body.subarray(at, at + 30_000))
      res.end()
    }
  }

  test.each([
    ['bytes=0-0', 0, 0],
    ['bytes=29999-30000', 29_999, 30_000],
    ['bytes=10-95000', 10, 95_000],
    ['bytes=99990-', 99_990, 99_999],
    ['bytes=-5', 99_995, 99_999],
  ])('%s', async (range, start, end) => {
    const { url } = await serve(inPieces({ 'Accept-Ranges': 'bytes' }), {}, mount)
    const answer = await ask(url, { headers: { Range: range } })
    expect([answer.status, answer.headers['content-range']]).toEqual([206, `bytes ${start}-${end}/${body.length}`])
    expect(answer.bytes.equals(body.subarray(start, end + 1))).toBe(true)
    expect(answer.headers['content-length']).toBe(String(end - start + 1))
  })

  test.each([
    ['of a handler that knows no ranges', {}, { Range: 'bytes=0-1' }],
    ['of several ranges', { 'Accept-Ranges': 'bytes' }, { Range: 'bytes=0-1,5-6' }],
    ['of another representation', { 'Accept-Ranges': 'bytes', ETag: '"2"' }, { Range: 'bytes=0-1', 'If-Range': '"1"' }],
    ['that has changed', { ETag: '"2"' }, { 'If-None-Match': '"1"' }],
  ])('all %s', async (_what, fields, headers) => {
    const { url } = await serve(inPieces(fields as Record<string, string>), {}, mount)
    const answer = await ask(url, { headers: headers as Record<string, string> })
    expect([answer.status, answer.bytes.equals(body)]).toEqual([200, true])
  })

  test.each([
    [{ ETag: '"1"' }, { 'If-None-Match': '"0", W/"1"' }],
    [{ 'Last-Modified': 'Thu, 01 Jan 2026 00:00:00 GMT' }, { 'If-Modified-Since': 'Thu, 01 Jan 2026 00:00:00 GMT' }],
  ])('a 304 for %j, asked by %j', async (fields, headers) => {
    const { url } = await serve(inPieces(fields as Record<string, string>), {}, mount)
    const answer = await ask(url, { headers: headers as Record<string, string> })
    expect([answer.status, answer.body, answer.headers['content-length']]).toEqual([304, '', undefined])
    // The next one, which is not asked to wait, sees its client's own conditions.
    expect((await ask(url)).bytes.equals(body)).toBe(true)
  })
})
