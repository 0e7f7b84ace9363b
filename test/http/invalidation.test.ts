import { describe, expect, test } from 'vitest'

import type { Cache } from '../../src/cache/cache.ts'
import { eventually } from '../support/eventually.ts'
import { ask } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { serve } from './support/serve.ts'

describe('what an unsafe request changes is forgotten', () => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'M-SEARCH'])('the URL itself, after a successful %s', async (method) => {
    let runs = 0
    const { url } = await serve((req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.end(`${req.method} ${++runs}`)
    })
    await ask(url)
    const answer = await ask(url, { method })
    expect(answer.headers['cache-status']).toBe('herdlock; fwd=method; fwd-status=200')
    expect((await ask(url)).body).toBe('GET 3')
  })

  test('not after one that failed', async () => {
    const { url } = await serve((req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.statusCode = req.method === 'POST' ? 409 : 200
      res.end(req.method)
    })
    await ask(url)
    await ask(url, { method: 'POST' })
    expect((await ask(url)).headers['cache-status']).toContain('hit')
  })

  test('all variants, and what Location and Content-Location name on the same host', async () => {
    let runs = 0
    const { url } = await serve((req, res) => {
      if (req.method === 'POST') {
        res.setHeader('Location', '/made')
        res.setHeader('Content-Location', `${url}/list?page=1`)
        res.end()
        return
      }
      res.setHeader('Cache-Control', 'max-age=60')
      res.setHeader('Vary', 'X-Kind')
      res.end(String(++runs))
    })
    const everything = async () => {
      const bodies: string[] = []
      for (const path of ['/', '/made', '/list?page=1']) {
        for (const kind of ['a', 'b']) bodies.push((await ask(url + path, { headers: { 'X-Kind': kind } })).body)
      }
      return bodies
    }
    const before = await everything()
    expect(await everything()).toEqual(before)
    await ask(`${url}/`, { method: 'POST' })
    const after = await everything()
    expect(after.some((body) => before.includes(body))).toBe(false)
  })

  test('nothing that a Location on another host names', async () => {
    const { url } = await serve((req, res) => {
      if (req.method === 'POST') res.setHeader('Location', 'http://other.example/page')
      else res.setHeader('Cache-Control', 'max-age=60')
      res.end()
    })
    await ask(`${url}/page`)
    await ask(`${url}/elsewhere`, { method: 'POST' })
    expect((await ask(`${url}/page`)).headers['cache-status']).toContain('hit')
  })

  test('a response that is on its way is not stored, and nobody who comes later gets it', async () => {
    let runs = 0
    const gate = new Gate()
    const { url } = await serve(async (req, res) => {
      if (req.method === 'POST') return res.end()
      const run = ++runs
      res.setHeader('Cache-Control', 'max-age=60')
      if (run === 1) await gate.pass()
      return res.end(`run ${run}`)
    })
    const old = ask(url)
    await gate.reached
    await ask(url, { method: 'POST' })
    expect((await ask(url)).body).toBe('run 2')
    gate.open()
    expect((await old).body).toBe('run 1')
    expect((await ask(url)).body).toBe('run 2')
  })

  test('the members of a group, RFC 9875, of this host only', async () => {
    let runs = 0
    const { url } = await serve((req, res) => {
      if (req.method === 'POST') res.setHeader('Cache-Group-Invalidation', '"fruit"')
      else {
        res.setHeader('Cache-Control', 'max-age=60')
        res.setHeader('Cache-Groups', req.url === '/pear' ? '"fruit", "green"' : '"animals"')
      }
      res.end(String(++runs))
    })
    const other = { headers: { Host: 'other.example' } }
    const bodies = async () =>
      Promise.all(
        [ask(`${url}/pear`), ask(`${url}/cow`), ask(`${url}/pear`, other)].map(async (answer) => (await answer).body),
      )
    const before = await bodies()
    await ask(`${url}/basket`, { method: 'POST' })
    const after = await bodies()
    expect(after.map((body, index) => body === before[index])).toEqual([false, true, true])
  })

  test('by the application: a group by its name', async () => {
    let runs = 0
    const { url, flight } = await serve((_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.setHeader('Cache-Groups', '"fruit"')
      res.end(String(++runs))
    })
    await ask(url)
    await flight.cache.invalidateTags('fruit')
    expect((await ask(url)).body).toBe('2')
  })

  test('by the application: a group expires, and its stale responses are served while one run refills them', async () => {
    let runs = 0
    const gate = new Gate()
    const { url, flight } = await serve(async (req, res) => {
      const window = req.url === '/stale' ? ', stale-while-revalidate=60' : ''
      res.setHeader('Cache-Control', `max-age=60${window}`)
      res.setHeader('Cache-Groups', '"fruit"')
      if (++runs === 3) await gate.pass()
      res.end(String(runs))
    })
    for (const [i, path] of ['/stale', '/plain'].entries()) expect((await ask(url + path)).body).toBe(String(i + 1))
    await flight.cache.expireTags('fruit')
    for (let i = 0; i < 3; i++) expect((await ask(`${url}/stale`)).body).toBe('1')
    await gate.reached
    gate.open()
    await eventually('it is refilled', async () => (await ask(`${url}/stale`)).body === '3')
    expect((await ask(`${url}/plain`)).body).toBe('4') // it has no window, and so is forgotten
  })

  test.each([
    ['clear', (cache: Cache) => cache.clear()],
    ['invalidateTags', (cache: Cache) => cache.invalidateTags('fruit')],
    ['expireTags', (cache: Cache) => cache.expireTags('fruit')],
  ])(
    'by the application, by %s, while a response is on its way: nobody who comes later gets that',
    async (_name, forget) => {
      let runs = 0
      const gate = new Gate()
      const { url, cache } = await serve(async (_req, res) => {
        const run = ++runs
        res.setHeader('Cache-Control', 'max-age=60')
        res.setHeader('Cache-Groups', '"fruit"')
        if (run === 1) await gate.pass()
        res.end(`run ${run}`)
      })
      const old = ask(url)
      await gate.reached
      await forget(cache)
      expect((await ask(url)).body).toBe('run 2')
      gate.open()
      expect((await old).body).toBe('run 1')
      expect((await ask(url)).body).toBe('run 2')
    },
  )
})
