import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { ask } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { makeFetchFlight, refilled, serve, type Served } from './support/serve.ts'

const URL_OF_SLOW = '/slow'

/** A site whose cache runs one load at once; `/slow` takes until its gate is open. */
async function site(waitTimeout: number, headers: Record<string, string> = { 'Cache-Control': 'max-age=60' }) {
  const gate = new Gate()
  const runs: string[] = []
  const served: Served = await serve(
    async (req, res) => {
      runs.push(req.url as string)
      if (req.url === URL_OF_SLOW) await gate.pass()
      for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
      res.end(`page of ${req.url}`)
    },
    { cacheOptions: { maxLoads: 1, waitTimeout } },
  )
  const get = (path: string, more: Record<string, string> = {}) =>
    ask(served.url + path, { headers: { Host: 'shop.example', ...more } })
  return { ...served, gate, runs, get }
}

test('over the limit everybody who waits is answered 503 with Retry-After, and the handler does not run', async () => {
  const { get, gate, runs } = await site(100)
  const slow = get(URL_OF_SLOW)
  await gate.reached
  for (const answer of await Promise.all([get('/other'), get('/other')])) {
    expect(answer).toMatchObject({
      status: 503,
      body: '',
      headers: { 'retry-after': '1', 'cache-status': 'herdlock; fwd=uri-miss; detail=overloaded' },
    })
  }
  gate.open()
  expect((await slow).body).toBe(`page of ${URL_OF_SLOW}`)
  expect(runs).toEqual([URL_OF_SLOW])
  expect((await get('/other')).body).toBe('page of /other')
})

test('a request that may not wait for another run waits for a slot all the same', async () => {
  const { get, gate, runs, cache } = await site(10_000, { 'Cache-Control': 'max-age=60, public' })
  const slow = get(URL_OF_SLOW)
  await gate.reached
  const other = get('/other', { Authorization: 'Bearer token' })
  await eventually('it waits', () => cache.stats().limit?.waiting === 1)
  gate.open()
  expect((await other).body).toBe('page of /other')
  expect((await slow).status).toBe(200)
  expect(runs).toEqual([URL_OF_SLOW, '/other'])
})

test.each(['stale-while-revalidate', 'stale-if-error'])('a stale response is sent at once: %s', async (window) => {
  const { get, gate, clock, cache } = await site(10_000, { 'Cache-Control': `max-age=10, ${window}=600` })
  await get('/other')
  clock.skip(20_000)
  const slow = get(URL_OF_SLOW)
  await gate.reached
  const answer = await get('/other')
  expect(answer).toMatchObject({ status: 200, body: 'page of /other' })
  expect(answer.headers['cache-status']).toMatch(/^herdlock; hit; ttl=-\d+$/)
  const done = refilled(cache)
  gate.open()
  await slow
  await done
})

test('so are those of a fetch handler', async () => {
  const { flight } = makeFetchFlight({ cacheOptions: { maxLoads: 1, waitTimeout: 100 } })
  const gate = new Gate()
  const slow = flight(new Request('http://shop.example/slow'), async () => {
    await gate.pass()
    return new Response('slow')
  })
  await gate.reached
  const refused = await flight(new Request('http://shop.example/other'), () => new Response('other'))
  expect(refused.status).toBe(503)
  expect(refused.headers.get('Retry-After')).toBe('1')
  gate.open()
  expect(await (await slow).text()).toBe('slow')
})
