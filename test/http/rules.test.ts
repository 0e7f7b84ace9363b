import { METHODS, type ServerResponse } from 'node:http'

import { describe, expect, test } from 'vitest'

import { ask } from './support/client.ts'
import { MOUNTS, serve } from './support/serve.ts'

describe.each(MOUNTS)('a 304, %s', (mount) => {
  test('brings no field into the store that the response withholds; the client whose run it was gets it', async () => {
    let runs = 0
    const { url, clock } = await serve(
      (_req, res) => {
        runs++
        res.setHeader('Cache-Control', 'public, max-age=60, no-cache="Set-Cookie", private="X-User"')
        res.setHeader('Set-Cookie', `sid=${runs}`)
        res.setHeader('X-User', `user ${runs}`)
        res.setHeader('ETag', '"v1"')
        res.statusCode = runs === 1 ? 200 : 304
        res.end(runs === 1 ? 'page' : undefined)
      },
      {},
      mount,
    )
    await ask(url)
    clock.skip(61_000)
    const renewed = await ask(url)
    expect([renewed.status, renewed.body, renewed.headers['x-user']]).toEqual([200, 'page', 'user 2'])
    expect(renewed.headers['set-cookie']).toEqual(['sid=2'])
    const hit = await ask(url)
    expect(hit.headers['cache-status']).toMatch(/hit/)
    expect([hit.body, hit.headers['x-user'], hit.headers['set-cookie']]).toEqual(['page', undefined, undefined])
  })

  test('brings none that the stored response withheld, whatever it says of it now', async () => {
    let runs = 0
    const { url, clock } = await serve(
      (_req, res) => {
        runs++
        res.setHeader('Cache-Control', runs === 1 ? 'max-age=60, private="X-User"' : 'max-age=60')
        res.setHeader('X-User', `user ${runs}`)
        res.setHeader('ETag', '"v1"')
        res.statusCode = runs === 1 ? 200 : 304
        res.end(runs === 1 ? 'page' : undefined)
      },
      {},
      mount,
    )
    await ask(url)
    clock.skip(61_000)
    await ask(url)
    expect((await ask(url)).headers['x-user']).toBeUndefined()
  })

  test('about another response freshens nothing; the next request gets a whole one', async () => {
    const seen: unknown[] = []
    const { url, clock } = await serve(
      (req, res) => {
        seen.push(req.headers['if-none-match'])
        res.setHeader('Cache-Control', 'max-age=60')
        res.setHeader('ETag', seen.length === 1 ? '"v1"' : '"v2"')
        res.statusCode = seen.length === 2 ? 304 : 200
        res.end(seen.length === 2 ? undefined : `page ${seen.length}`)
      },
      {},
      mount,
    )
    await ask(url)
    clock.skip(61_000)
    const doubtful = await ask(url)
    expect([doubtful.status, doubtful.body]).toEqual([200, 'page 1'])
    expect(doubtful.headers['cache-status']).toContain('detail=other-validator')
    expect((await ask(url)).body).toBe('page 3')
    expect((await ask(url)).headers['cache-status']).toMatch(/hit/)
    expect(seen).toEqual([undefined, '"v1"', undefined])
  })
})

test.each(['QUERY', 'PROPFIND', 'SEARCH', 'REPORT'].filter((method) => METHODS.includes(method)))(
  '%s is safe and makes nothing be forgotten',
  async (method) => {
    const { url } = await serve((_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.end()
    })
    await ask(url)
    await ask(url, { method })
    expect((await ask(url)).headers['cache-status']).toMatch(/hit/)
  },
)

test.each(['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])(
  'a GET that %s makes another method passes through',
  async (name) => {
    let runs = 0
    const { url } = await serve((_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.end(`run ${++runs}`)
    })
    for (const run of ['run 1', 'run 2']) {
      const answer = await ask(url, { headers: { [name]: 'DELETE' } })
      expect([answer.body, answer.headers['cache-status']]).toEqual([run, 'herdlock; fwd=bypass'])
    }
    for (const run of ['run 3', 'run 3']) expect((await ask(url, { headers: { [name]: 'get' } })).body).toBe(run)
  },
)

test.each([
  ["script-src 'nonce-r4nd0m'", 'Content-Security-Policy'],
  ["script-src 'nonce-r4nd0m'", 'Content-Security-Policy-Report-Only'],
])('a page with %s in its %s is not shared, whichever layer says so', async (policy, name) => {
  for (const where of ['before', 'in writeHead', 'handler']) {
    let runs = 0
    const { url } = await serve(
      (_req, res) => {
        runs++
        if (where === 'handler') res.setHeader(name, policy)
        res.setHeader('Cache-Control', 'max-age=60')
        res.end('page')
      },
      {
        key: (req) => {
          const { res } = req as unknown as { res: ServerResponse }
          if (where === 'before') res.setHeader(name, policy)
          if (where === 'in writeHead') patchWriteHead(res, () => res.setHeader(name, policy))
          return req.url
        },
      },
      'Express 5',
    )
    await ask(url)
    expect((await ask(url)).headers['cache-status']).not.toContain('hit')
    expect(runs).toBe(2)
  }
})

test.each([400, 403, 404, 429])('%i of one request says nothing of the next one', async (status) => {
  let runs = 0
  const { url } = await serve((_req, res) => {
    runs++
    if (runs === 1) res.writeHead(status).end()
    else res.writeHead(200, { 'Cache-Control': 'max-age=60' }).end('page')
  })
  await ask(url)
  expect((await ask(url)).headers['cache-status']).toContain('stored')
  expect((await ask(url)).headers['cache-status']).toMatch(/hit/)
})

function patchWriteHead(res: ServerResponse, before: () => void): void {
  const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => ServerResponse
  res.writeHead = (...args: unknown[]) => {
    before()
    return writeHead(...args)
  }
}
