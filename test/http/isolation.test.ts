import { createServer, type ServerResponse } from 'node:http'

import express from 'express'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ask, open, readAll } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { type Layer, listen, makeFlight, MOUNTS, NODE_MOUNTS, type PlainHandler, serve } from './support/serve.ts'

/** Answers a request that says so when the test lets it. */
function timeoutLayer(gate: Gate): Layer {
  return (req, res, next) => {
    if (req.headers['x-hurry'] !== undefined) {
      void gate.pass().then(() => {
        if (res.headersSent) return
        res.statusCode = 503
        res.end('timed out')
      })
    }
    next()
  }
}

/** Lets one function of the responses to requests that say so throw. */
const throwingLayer =
  (name: 'writeHead' | 'write' | 'end'): Layer =>
  (req, res, next) => {
    if (req.headers['x-broken'] !== undefined) {
      res[name] = () => {
        throw new Error(`the layer's own ${name} is broken`)
      }
    }
    next()
  }

/** A handler that waits for the gate, and tells of its runs. */
function gated(write: (res: ServerResponse) => void = (res) => res.end('page')) {
  const gate = new Gate()
  const seen = { runs: 0 }
  const handler: PlainHandler = async (_req, res) => {
    seen.runs++
    await gate.pass()
    res.setHeader('Cache-Control', 'public, max-age=60')
    write(res)
  }
  return { gate, seen, handler }
}

describe.each(NODE_MOUNTS)('%s', (mount) => {
  const crashes: unknown[] = []
  const note = (error: unknown): void => void crashes.push(error)
  beforeEach(() => {
    process.on('uncaughtException', note).on('unhandledRejection', note)
  })
  afterEach(() => {
    process.off('uncaughtException', note).off('unhandledRejection', note)
    expect(crashes.splice(0)).toEqual([]) // oxlint-disable-line vitest/no-standalone-expect -- of each test
  })

  test.each(['at once', 'in pieces'])(
    'a layer outside answers one who waits: the leader and the others get the page, %s',
    async (how) => {
      const hurry = new Gate()
      const { gate, seen, handler } = gated((res) => {
        if (how === 'in pieces') res.write('page')
        res.end(how === 'in pieces' ? '' : 'page')
      })
      const { url } = await serve(handler, {}, mount, timeoutLayer(hurry))
      const leader = ask(url)
      await gate.reached
      const impatient = ask(url, { headers: { 'X-Hurry': '1' } })
      await hurry.reached
      const patient = [ask(url), ask(url)]
      hurry.open()
      expect(await impatient).toMatchObject({ status: 503, body: 'timed out' })
      gate.open()
      for (const { status, body, complete } of await Promise.all([leader, ...patient])) {
        expect([status, body, complete]).toEqual([200, 'page', true])
      }
      expect((await ask(url)).headers['cache-status']).toContain('hit')
      expect(seen.runs).toBe(1)
    },
  )

  test.each([
    ['HEAD', {}],
    ['GET', { 'Cache-Control': 'only-if-cached' }],
  ])('a layer outside answers a %s %j while it is looked for in the store', async (method, headers) => {
    const { url } = await serve(
      (_req, res) => res.end('page'),
      {},
      mount,
      (_req, res, next) => {
        next()
        if (res.headersSent) return
        res.statusCode = 503
        res.end()
      },
    )
    expect((await ask(url, { method, headers: headers as Record<string, string> })).status).toBe(503)
  })

  test('a layer outside answers the leader: those who wait get the page', async () => {
    const hurry = new Gate()
    let runs = 0
    const { url } = await serve(
      async (req, res) => {
        runs++
        if (req.headers['x-hurry'] !== undefined) return
        res.setHeader('Cache-Control', 'public, max-age=60')
        res.end('page')
      },
      {},
      mount,
      timeoutLayer(hurry),
    )
    const leader = ask(url, { headers: { 'X-Hurry': '1' } })
    await hurry.reached
    await expect.poll(() => runs).toBe(1)
    const waiters = [ask(url), ask(url)]
    await ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })
    hurry.open()
    expect(await leader).toMatchObject({ status: 503, body: 'timed out' })
    for (const { status, body } of await Promise.all(waiters)) expect([status, body]).toEqual([200, 'page'])
  })

  test.each(['writeHead', 'write', 'end'] as const)(
    'a patched %s throws at one who waits: the others get the page',
    async (name) => {
      const { gate, seen, handler } = gated((res) => {
        res.write('pa')
        res.end('ge')
      })
      const { url } = await serve(handler, {}, mount, throwingLayer(name))
      const leader = ask(url)
      await gate.reached
      const broken = open(url, { headers: { 'X-Broken': '1' } })
      const failed = broken.response.then(readAll).then(
        ({ complete }) => complete,
        () => false,
      )
      const others = [ask(url), ask(url)]
      await ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })
      gate.open()
      for (const { body, complete } of await Promise.all([leader, ...others]))
        expect([body, complete]).toEqual(['page', true])
      expect(await failed).toBe(false)
      expect(seen.runs).toBe(1)
    },
  )
})

test.each(MOUNTS)('maxWaiters counts those who wait now, not those who have left, %s', async (mount) => {
  const { gate, seen, handler } = gated()
  const { url } = await serve(handler, { maxWaiters: 3 }, mount)
  const leader = ask(url)
  await gate.reached
  for (let left = 0; left < 5; left++) {
    const hasCome = ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })
    const leaving = open(url)
    await hasCome
    leaving.leave()
    await leaving.response.catch(() => {})
  }
  const waiters = [ask(url), ask(url), ask(url)]
  await ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })
  gate.open()
  for (const { body } of await Promise.all([leader, ...waiters])) expect(body).toBe('page')
  expect(seen.runs).toBe(1)
})

test('wrap: a handler that passes on one and the same error is not tried again and again', async () => {
  const { flight } = makeFlight()
  const failure = new Error('out of order')
  const gate = new Gate()
  let runs = 0
  const app = express().set('env', 'test')
  app.get(
    '/',
    flight.wrap(async (_req, _res, next) => {
      runs++
      await gate.pass()
      next(failure)
    }) as never,
  )
  app.use((error: Error, _req: express.Request, res: express.Response, _next: () => void) => {
    res.status(500).send(error.message)
  })
  const { url } = await listen(createServer(app))
  const asked = Array.from({ length: 20 }, () => ask(`${url}/`))
  await gate.reached
  await ask(`${url}/`, { headers: { 'Cache-Control': 'only-if-cached' } })
  gate.open()
  for (const { status, body } of await Promise.all(asked)) expect([status, body]).toEqual([500, 'out of order'])
  // The leader's, one more that leads, and each alone.
  expect(runs).toBeLessThanOrEqual(20)
})
