import compress from '@fastify/compress'
import cors from '@fastify/cors'
import etag from '@fastify/etag'
import Fastify, { type FastifyInstance } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'

import { createPlugin } from '../../src/middleware/fastify/plugin.ts'
import { systemRandom } from '../../src/random.ts'
import { ask } from './support/client.ts'
import { makeFlight } from './support/serve.ts'
import { isHit } from './support/is-hit.ts'

const SHARED = 'public, max-age=60, stale-while-revalidate=60'
const PAGE = 'page '.repeat(1000)

/** An app with one page, with plugins registered before ours and after it. */
async function serve(before: (app: FastifyInstance) => unknown, after: (app: FastifyInstance) => unknown = () => {}) {
  const { clock, cache } = makeFlight()
  const app = Fastify()
  await before(app)
  await app.register(createPlugin({ clock, random: systemRandom }), { cache })
  await after(app)
  const runs = { count: 0 }
  app.get('/page', (_request, reply) => {
    runs.count++
    return reply.headers({ 'Cache-Control': SHARED, 'Content-Type': 'text/plain' }).send(PAGE)
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  const get = (headers: Record<string, string>) => ask(`${url}/page`, { headers })
  return { get, runs }
}

test.each(['before', 'after'])('@fastify/compress registered %s encodes once for each encoding', async (place) => {
  const plugin = async (app: FastifyInstance): Promise<unknown> => app.register(compress)
  const { get, runs } = await (place === 'before' ? serve(plugin) : serve(() => {}, plugin))
  for (const encoding of ['gzip', 'deflate', 'identity']) {
    const asked = { 'Accept-Encoding': encoding }
    await get(asked)
    await expect.poll(async () => isHit(await get(asked))).toBe(true)
    const hit = await get(asked)
    const expected = encoding === 'identity' ? undefined : encoding
    expect([hit.body, hit.headers['content-encoding']]).toEqual([PAGE, expected])
  }
  expect(runs.count).toBe(3)
})

test('@fastify/etag hashes once, and whoever has the page gets a 304 without a run', async () => {
  const { get, runs } = await serve(async (app) => app.register(etag))
  const { headers } = await get({})
  await expect.poll(async () => isHit(await get({}))).toBe(true)
  expect(await get({ 'If-None-Match': String(headers.etag) })).toMatchObject({ status: 304, body: '' })
  expect(runs.count).toBe(1)
})

test('@fastify/cors before it answers each origin by itself', async () => {
  const { get, runs } = await serve(async (app) =>
    app.register(cors, { origin: ['http://a.example', 'http://b.example'] }),
  )
  await get({ Origin: 'http://a.example' })
  await expect.poll(async () => isHit(await get({ Origin: 'http://a.example' }))).toBe(true)
  for (const origin of ['http://a.example', 'http://b.example']) {
    expect((await get({ Origin: origin })).headers['access-control-allow-origin']).toBe(origin)
  }
  expect((await get({ Origin: 'http://c.example' })).headers['access-control-allow-origin']).toBeUndefined()
  expect(runs.count).toBeLessThanOrEqual(3)
})
