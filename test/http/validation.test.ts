import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

import { describe, expect, test } from 'vitest'

import { ask, open } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { MOUNTS, serve } from './support/serve.ts'

const MODIFIED = 'Tue, 02 Jan 2024 00:00:00 GMT'

/** Answers as a handler does that knows conditional requests. */
function answer(req: IncomingMessage, res: ServerResponse, body: string): void {
  const etag = `"${createHash('sha256').update(body).digest('base64')}"`
  res.setHeader('ETag', etag)
  if (req.headers['if-none-match'] === etag) res.writeHead(304).end()
  else res.end(body)
}

describe.each(MOUNTS)('a response that must be validated before each reuse, %s', (mount) => {
  test.each([
    ['no-cache', { 'Cache-Control': 'no-cache', ETag: '"v1"' }],
    ['no-cache although fresh', { 'Cache-Control': 'max-age=60, no-cache', ETag: '"v1"' }],
    ['max-age=0', { 'Cache-Control': 'max-age=0', 'Last-Modified': MODIFIED }],
    ['must-revalidate', { 'Cache-Control': 'max-age=0, must-revalidate', ETag: 'W/"v1"', 'Last-Modified': MODIFIED }],
    ['an Expires in the past', { Expires: MODIFIED, ETag: '"v1"' }],
  ])('is kept, and sent when its handler says that it is still good: %s', async (_name, fields) => {
    const seen: unknown[] = []
    const { url } = await serve(
      (req, res) => {
        const { 'if-none-match': tag, 'if-modified-since': since } = req.headers
        seen.push({ tag, since })
        res.writeHead(seen.length === 1 ? 200 : 304, { ...fields, 'X-Run': seen.length })
        res.end(seen.length === 1 ? 'page' : '')
      },
      {},
      mount,
    )
    const asked = {
      tag: 'ETag' in fields ? fields.ETag : undefined,
      since: 'Last-Modified' in fields ? MODIFIED : undefined,
    }
    expect((await ask(url)).headers['cache-status']).toBe('herdlock; fwd=uri-miss; fwd-status=200; stored')
    for (const run of ['2', '3']) {
      const validated = await ask(url)
      expect([validated.status, validated.body, validated.headers['x-run']]).toEqual([200, 'page', run])
      expect(validated.headers['cache-status']).toBe('herdlock; fwd=stale; fwd-status=304; stored')
    }
    expect(seen).toEqual([{ tag: undefined, since: undefined }, asked, asked])
  })

  test('is validated for each of many at once, none of whom waits for or gets the answer to another', async () => {
    let arrived = 0
    let everybody = new Gate()
    const { url } = await serve(
      async (req, res) => {
        const user = String(req.headers['x-user'])
        // Nobody is answered before all have come: in a queue this would never end.
        if (++arrived === 20) everybody.open()
        await everybody.pass()
        res.setHeader('Cache-Control', 'no-cache')
        answer(req, res, `for ${user}`)
      },
      {},
      mount,
    )
    everybody.open()
    await ask(url, { headers: { 'X-User': 'user 0' } })
    const users = Array.from({ length: 20 }, (_, index) => `user ${index}`)
    for (let wave = 0; wave < 2; wave++) {
      arrived = 0
      everybody = new Gate()
      const answers = await Promise.all(users.map((user) => ask(url, { headers: { 'X-User': user } })))
      expect(answers.map(({ body }) => body)).toEqual(users.map((user) => `for ${user}`))
    }
  })
})

describe('a response that must be validated', () => {
  test('gives way to a new one, which is validated in turn', async () => {
    let version = 'one'
    const { url } = await serve((req, res) => {
      res.setHeader('Cache-Control', 'no-cache')
      answer(req, res, version)
    })
    await ask(url)
    version = 'two'
    const changed = await ask(url)
    expect([changed.body, changed.headers['cache-status']]).toEqual([
      'two',
      'herdlock; fwd=stale; fwd-status=200; stored',
    ])
    const validated = await ask(url)
    expect([validated.body, validated.headers['cache-status']]).toEqual([
      'two',
      'herdlock; fwd=stale; fwd-status=304; stored',
    ])
  })

  test('is sent in part, or not at all, to who asks so', async () => {
    const { url } = await serve((req, res) => {
      res.setHeader('Cache-Control', 'no-cache')
      answer(req, res, '0123456789')
    })
    const { etag } = (await ask(url)).headers
    expect((await ask(url, { headers: { 'If-None-Match': String(etag) } })).status).toBe(304)
    expect((await ask(url, { headers: { Range: 'bytes=2-3' } })).body).toBe('23')
    expect((await ask(url, { headers: { 'If-None-Match': '"other"' } })).body).toBe('0123456789')
  })

  test('is no answer to only-if-cached', async () => {
    const { url } = await serve((req, res) => {
      res.setHeader('Cache-Control', 'no-cache')
      answer(req, res, 'page')
    })
    await ask(url)
    expect((await ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })).status).toBe(504)
  })

  test.each([{ Cookie: 'session=1' }, { Authorization: 'Bearer 1' }])(
    'is not kept for who identifies himself: %j',
    async (headers) => {
      const seen: unknown[] = []
      const { url } = await serve((req, res) => {
        seen.push(req.headers['if-none-match'])
        res.setHeader('Cache-Control', 'no-cache')
        answer(req, res, 'page')
      })
      await ask(url, { headers })
      await ask(url, { headers })
      await ask(url)
      expect(seen).toEqual([undefined, undefined, undefined])
    },
  )

  test('that becomes cacheable is shared from then on', async () => {
    let control = 'no-cache'
    let runs = 0
    const { url } = await serve((req, res) => {
      runs++
      res.setHeader('Cache-Control', control)
      answer(req, res, 'page')
    })
    await ask(url)
    control = 'max-age=60'
    expect((await ask(url)).headers['cache-status']).toBe('herdlock; fwd=stale; fwd-status=304')
    await ask(url)
    expect((await ask(url)).headers['cache-status']).toContain('hit')
    expect(runs).toBe(3)
  })

  test('that may no longer be shared is sent by its own handler alone', async () => {
    let isPrivate = false
    const { url } = await serve((req, res) => {
      res.setHeader('Cache-Control', isPrivate ? 'private' : 'no-cache')
      if (isPrivate) res.end(`for ${String(req.headers['x-user'])}`)
      else answer(req, res, 'for all')
    })
    await ask(url)
    isPrivate = true
    for (const user of ['a', 'b']) expect((await ask(url, { headers: { 'X-User': user } })).body).toBe(`for ${user}`)
  })

  test('is sent when the handler fails, while stale-if-error lasts', async () => {
    let fails = false
    const { url, clock } = await serve((req, res) => {
      if (fails) return void res.writeHead(503).end('out of order')
      res.setHeader('Cache-Control', 'max-age=0, stale-if-error=60')
      return answer(req, res, 'page')
    })
    await ask(url)
    fails = true
    expect((await ask(url)).body).toBe('page')
    clock.skip(61_000)
    expect((await ask(url)).body).toBe('out of order')
  })

  test('runs its handler for one client only, which it sees leave', async () => {
    const gate = new Gate()
    const left = new Gate()
    let runs = 0
    const { url } = await serve(async (req, res) => {
      res.setHeader('Cache-Control', 'no-cache')
      if (++runs === 2) {
        res.once('close', () => left.open())
        await gate.pass()
      }
      answer(req, res, 'page')
    })
    await ask(url)
    const second = open(url)
    await gate.reached
    second.leave()
    await left.pass()
    gate.open()
    expect((await ask(url)).headers['cache-status']).toContain('fwd-status=304')
  })

  test('releases those who wait for the first answer when its header comes, each to its own handler', async () => {
    const header = new Gate()
    const rest = new Gate()
    let runs = 0
    const { url } = await serve(async (req, res) => {
      res.setHeader('Cache-Control', 'no-cache')
      if (++runs > 1) return answer(req, res, 'own')
      await header.pass()
      res.setHeader('ETag', '"first"')
      res.write('first ')
      await rest.pass()
      return res.end('and last')
    })
    const leader = ask(url)
    await header.reached
    const waiters = [ask(url), ask(url)]
    header.open()
    expect((await Promise.all(waiters)).map(({ body }) => body)).toEqual(['own', 'own'])
    rest.open()
    expect((await leader).body).toBe('first and last')
  })

  test('by express.static as it is out of the box', async () => {
    const { default: express } = await import('express')
    const files = express.static(new URL('../../docs', import.meta.url).pathname)
    const { url } = await serve((req, res) => files(req as never, res as never, () => res.end()), {}, 'node:http')
    const first = await ask(`${url}/http.md`)
    const second = await ask(`${url}/http.md`)
    expect(second.headers['cache-status']).toContain('fwd-status=304')
    expect(second.body).toBe(first.body)
  })
})
