import supertest from 'supertest'
import { describe, expect, test } from 'vitest'

import { ask } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { MOUNTS, refilled, serve } from './support/serve.ts'

describe.each(MOUNTS)('%s', (mount) => {
  test('a response that says max-age is stored, and answers with Age, Date and Cache-Status', async () => {
    let runs = 0
    const { server, clock } = await serve(
      (_req, res) => {
        res.setHeader('Cache-Control', 'max-age=60')
        res.setHeader('Content-Type', 'text/plain')
        res.end(`run ${++runs}`)
      },
      {},
      mount,
    )
    const first = await supertest(server).get('/page?b=1&a=2').expect(200, 'run 1')
    expect(first.headers['cache-status']).toBe('herdlock; fwd=uri-miss; fwd-status=200; stored')
    clock.skip(10_000)
    const second = await supertest(server).get('/page?b=1&a=2').expect(200, 'run 1')
    expect(second.headers).toMatchObject({
      'cache-status': expect.stringMatching(/^herdlock; hit; ttl=(49|50)$/),
      'content-type': 'text/plain',
      'content-length': '5',
      age: '10',
      date: first.headers['date'],
    })
    await supertest(server).get('/page?a=2&b=1').expect(200, 'run 2')
  })

  test('a GET answers a HEAD, and a HEAD never a GET', async () => {
    let runs = 0
    const { url } = await serve(
      (req, res) => {
        runs++
        res.setHeader('Cache-Control', 'max-age=60')
        res.end(`${req.method} body`)
      },
      {},
      mount,
    )
    const early = await ask(url, { method: 'HEAD' })
    expect(early.headers['cache-status']).toContain('fwd=uri-miss')
    expect((await ask(url)).body).toBe('GET body')
    const late = await ask(url, { method: 'HEAD' })
    expect(late.headers['cache-status']).toContain('hit')
    expect(late.headers['content-length']).toBe('8')
    expect(runs).toBe(2)
  })

  test('a hundred requests at once run the handler once', async () => {
    let runs = 0
    const gate = new Gate()
    const { url } = await serve(
      async (_req, res) => {
        runs++
        await gate.pass()
        res.setHeader('Cache-Control', 'max-age=60')
        res.end('shared')
      },
      {},
      mount,
    )
    const asked = Array.from({ length: 100 }, () => ask(url))
    await gate.reached
    gate.open()
    const answers = await Promise.all(asked)
    expect(runs).toBe(1)
    expect(answers.every(({ body, complete }) => body === 'shared' && complete)).toBe(true)
    const collapsed = answers.filter(({ headers }) => headers['cache-status']?.includes('collapsed'))
    expect(collapsed.length + answers.filter(({ headers }) => headers['cache-status']?.includes('hit')).length).toBe(99)
  })

  test('a stale response is sent at once while the handler runs once in the background', async () => {
    let runs = 0
    const gate = new Gate()
    const { url, clock, cache } = await serve(
      async (_req, res) => {
        const run = ++runs
        if (run === 2) await gate.pass()
        res.setHeader('Cache-Control', 'max-age=1, stale-while-revalidate=60')
        res.end(`run ${run}`)
      },
      {},
      mount,
    )
    await ask(url)
    clock.skip(2000)
    const stale = await Promise.all(Array.from({ length: 20 }, () => ask(url)))
    expect(new Set(stale.map(({ body }) => body))).toEqual(new Set(['run 1']))
    expect(stale[0]?.headers['cache-status']).toMatch(/^herdlock; hit; ttl=-\d$/)
    await gate.reached
    const stored = refilled(cache)
    gate.open()
    await stored
    const fresh = await ask(url)
    expect(fresh.body).toBe('run 2')
    expect(fresh.headers['cache-status']).toContain('hit')
    expect(runs).toBe(2)
    expect(cache.stats()).toMatchObject({ misses: 1, staleHits: 20, hits: 1, coalesced: 0 })
  })

  test('every request counts in the stats of the cache, once', async () => {
    const gate = new Gate()
    const { url, cache } = await serve(
      async (_req, res) => {
        await gate.pass()
        res.setHeader('Cache-Control', 'max-age=60')
        res.end('body')
      },
      {},
      mount,
    )
    const herd = Array.from({ length: 5 }, () => ask(url))
    await gate.reached
    await expect.poll(() => cache.stats().coalesced).toBe(4)
    gate.open()
    await Promise.all(herd)
    for (const method of ['GET', 'GET', 'HEAD']) await ask(url, { method })
    expect(cache.stats()).toMatchObject({ misses: 1, coalesced: 4, hits: 3, staleHits: 0 })
  })

  test('private answers go to their own clients only, and the next ones do not wait for one another', async () => {
    const first = new Gate()
    let all = first
    let arrived = 0
    const { url } = await serve(
      async (req, res) => {
        // From the second wave on nobody is answered before everybody has come: in a queue this would never end.
        if (++arrived === 20 && all !== first) all.open()
        await all.pass()
        res.setHeader('Cache-Control', 'private')
        res.end(`for ${String(req.headers['x-user'])}`)
      },
      {},
      mount,
    )
    const users = Array.from({ length: 20 }, (_, index) => `user ${index}`)
    const everyone = () => Promise.all(users.map((user) => ask(url, { headers: { 'X-User': user } })))
    const bodies = async () => (await everyone()).map(({ body }) => body)
    const asked = bodies()
    await first.reached
    first.open()
    expect(await asked).toEqual(users.map((user) => `for ${user}`))
    arrived = 0
    all = new Gate()
    expect(await bodies()).toEqual(users.map((user) => `for ${user}`))
  })
})
