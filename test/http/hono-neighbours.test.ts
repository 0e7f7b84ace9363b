import { createServer } from 'node:http'

import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { basicAuth } from 'hono/basic-auth'
import { compress } from 'hono/compress'
import { csrf } from 'hono/csrf'
import { etag } from 'hono/etag'
import { requestId } from 'hono/request-id'
import { secureHeaders } from 'hono/secure-headers'
import { expect, test } from 'vitest'

import { createHonoFlight } from '../../src/middleware/hono/single-flight.ts'
import { systemRandom } from '../../src/random.ts'
import { type Ask, ask } from './support/client.ts'
import { listen, makeFetchFlight } from './support/serve.ts'
import { isHit } from './support/is-hit.ts'

const SHARED = 'public, max-age=60, stale-while-revalidate=60'
const PAGE = 'page '.repeat(1000)

type Flight = ReturnType<typeof createHonoFlight>

/** An app with the layers that `build` mounts, and behind them a page. */
async function serve(build: (app: Hono, flight: Flight) => unknown) {
  const { clock, cache } = makeFetchFlight()
  const app = new Hono()
  build(app, createHonoFlight({ cache }, { clock, random: systemRandom }))
  const runs = { count: 0 }
  app.get('/page', (context) => {
    runs.count++
    context.header('Cache-Control', SHARED)
    return context.text(PAGE)
  })
  const listener = getRequestListener(app.fetch)
  const { url } = await listen(createServer((req, res) => void listener(req, res)))
  const get = (headers: Ask['headers'] = {}) => ask(`${url}/page`, { headers })
  return { get, runs, cache }
}

test('compress outside encodes hits as it does misses', async () => {
  const { get, runs } = await serve((app, flight) => app.use(compress()).use(flight))
  for (const encoding of ['gzip', 'deflate', 'identity']) {
    const asked = { 'Accept-Encoding': encoding }
    await get(asked)
    await expect.poll(async () => isHit(await get(asked))).toBe(true)
    const hit = await get(asked)
    const expected = encoding === 'identity' ? undefined : encoding
    expect([hit.body, hit.headers['content-encoding']]).toEqual([PAGE, expected])
  }
  expect(runs.count).toBe(1)
})

test('compress inside: whoever asks gets what it accepts, whole', async () => {
  const { get } = await serve((app, flight) => app.use(flight).use(compress()))
  for (const encoding of ['gzip', 'deflate', 'identity', 'gzip']) {
    for (let time = 0; time < 3; time++) {
      const { body, headers } = await get({ 'Accept-Encoding': encoding })
      expect([body, [undefined, encoding]]).toEqual([PAGE, expect.arrayContaining([headers['content-encoding']])])
    }
  }
})

test.each(['outside', 'inside'])('etag %s: a client that has the page gets 304, also of a hit', async (where) => {
  const { get, runs } = await serve((app, flight) =>
    where === 'outside' ? app.use(etag()).use(flight) : app.use(flight).use(etag()),
  )
  const { headers } = await get()
  await expect.poll(async () => isHit(await get())).toBe(true)
  const again = await get({ 'If-None-Match': String(headers['etag']) })
  expect([again.status, again.body]).toEqual([304, ''])
  expect((await get({ 'If-None-Match': '"another"' })).body).toBe(PAGE)
  expect(runs.count).toBe(1)
})

test('request-id and secure-headers outside give each request its own', async () => {
  const { get } = await serve((app, flight) => app.use(requestId()).use(secureHeaders()).use(flight))
  await get()
  await expect.poll(async () => isHit(await get())).toBe(true)
  const [one, other] = [await get(), await get({ 'X-Request-Id': 'mine' })]
  expect(one.headers['x-request-id']).toMatch(/^[\da-f-]{36}$/)
  expect(other.headers['x-request-id']).toBe('mine')
  for (const { headers } of [one, other]) expect(headers['x-content-type-options']).toBe('nosniff')
})

test('request-id inside is that of the run for all: it is part of the page', async () => {
  const { get } = await serve((app, flight) => app.use(flight).use(requestId()))
  const { headers } = await get()
  await expect.poll(async () => isHit(await get())).toBe(true)
  expect((await get()).headers['x-request-id']).toBe(headers['x-request-id'])
})

test('basic-auth and csrf outside refuse as ever, whatever is stored', async () => {
  const { get } = await serve((app, flight) =>
    app
      .use(csrf())
      .use(basicAuth({ username: 'ada', password: 'secret' }))
      .use(flight),
  )
  const authorization = { Authorization: `Basic ${Buffer.from('ada:secret').toString('base64')}` }
  expect((await get(authorization)).body).toBe(PAGE)
  await expect.poll(async () => isHit(await get(authorization))).toBe(true)
  expect(await get()).toMatchObject({ status: 401 })
  expect(await get({ Authorization: 'Basic bm9ib2R5Og==' })).toMatchObject({ status: 401 })
})
