import { createServer } from 'node:http'

import Router from '@koa/router'
import Koa from 'koa'
import compress from 'koa-compress'
import mount from 'koa-mount'
import { expect, test } from 'vitest'

import { createKoaFlight } from '../../src/middleware/koa/single-flight.ts'
import { systemRandom } from '../../src/random.ts'
import { type Ask, ask } from './support/client.ts'
import { listen, makeFlight, refilled } from './support/serve.ts'
import { isHit } from './support/is-hit.ts'

const SHARED = 'public, max-age=60, stale-while-revalidate=60'
const PAGE = 'page '.repeat(1000)

async function serve(build: (app: Koa, flight: ReturnType<typeof createKoaFlight>) => unknown) {
  const { clock, cache } = makeFlight()
  const app = new Koa()
  build(app, createKoaFlight({ cache }, { clock, random: systemRandom }))
  const callback = app.callback()
  const { url } = await listen(createServer((req, res) => void callback(req, res)))
  const get = (path = '/page', asked: Ask = {}) => ask(url + path, asked)
  const encoded = (encoding: string) => get('/page', { headers: { 'Accept-Encoding': encoding } })
  return { clock, cache, get, encoded }
}

test('koa-compress outside encodes hits as it does misses', async () => {
  const { encoded } = await serve((app, flight) =>
    app
      .use(compress())
      .use(flight)
      .use((context) => {
        context.set('Cache-Control', SHARED)
        context.body = PAGE
      }),
  )
  for (const encoding of ['gzip', 'deflate', 'identity']) {
    await encoded(encoding)
    await expect.poll(async () => isHit(await encoded(encoding))).toBe(true)
    const hit = await encoded(encoding)
    const expected = encoding === 'identity' ? undefined : encoding
    expect([hit.body, hit.headers['content-encoding'], hit.headers['vary']]).toEqual([
      PAGE,
      expected,
      'Accept-Encoding',
    ])
  }
})

test('koa-compress inside encodes once for each encoding', async () => {
  let runs = 0
  const { encoded } = await serve((app, flight) =>
    app
      .use(flight)
      .use(compress())
      .use((context) => {
        runs++
        context.set('Cache-Control', SHARED)
        context.body = PAGE
      }),
  )
  for (const encoding of ['gzip', 'deflate']) {
    await encoded(encoding)
    await expect.poll(async () => isHit(await encoded(encoding))).toBe(true)
    expect(await encoded(encoding)).toMatchObject({ body: PAGE, headers: { 'content-encoding': encoding } })
  }
  expect(runs).toBe(2)
})

test('koa-mount: what is mounted elsewhere is another page, also when it is refilled or changed', async () => {
  const runs: string[] = []
  const { get, cache, clock } = await serve((app, flight) => {
    for (const prefix of ['/a', '/b']) {
      const mounted = new Koa().use(flight).use((context) => {
        runs.push(`${context.method} ${prefix}${context.path}`)
        context.set('Cache-Control', SHARED)
        context.body = `${prefix} ${context.path} ${runs.length}`
      })
      app.use(mount(prefix, mounted))
    }
  })
  const stored = refilled(cache)
  expect((await get('/a/page')).body).toBe('/a /page 1')
  await stored
  expect((await get('/b/page')).body).toBe('/b /page 2')
  clock.skip(61_000)
  const again = refilled(cache)
  expect((await get('/a/page')).body).toBe('/a /page 1')
  await again
  expect((await get('/a/page')).body).toBe('/a /page 3')
  await get('/a/page', { method: 'POST' })
  expect((await get('/a/page')).body).toBe('/a /page 5')
  expect(runs).toEqual(['GET /a/page', 'GET /b/page', 'GET /a/page', 'POST /a/page', 'GET /a/page'])
})

test('@koa/router: as a layer of one route, whose parameters a refill has, too', async () => {
  let runs = 0
  const { get, cache, clock } = await serve((app, flight) => {
    const router = new Router()
    router.get('/page/:id', flight as Koa.Middleware, (context) => {
      context.set('Cache-Control', SHARED)
      context.body = `${String(context['params'].id)} ${++runs}`
    })
    router.get('/other', (context) => void (context.body = 'other'))
    app.use(router.routes()).use(router.allowedMethods())
  })
  const stored = refilled(cache)
  await get('/page/7')
  await stored
  clock.skip(61_000)
  const again = refilled(cache)
  expect((await get('/page/7')).body).toBe('7 1')
  await again
  expect((await get('/page/7')).body).toBe('7 2')
  expect((await get('/other')).headers['cache-status']).toBeUndefined()
})
