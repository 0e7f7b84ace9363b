import { createServer, type ServerResponse } from 'node:http'

import compression from 'compression'
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import express4 from 'express4'
import { describe, expect, test } from 'vitest'

import { ask, open } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { listen, makeFlight, refilled, type Served } from './support/serve.ts'
import { type Style, STYLES } from './support/styles.ts'

const FRAMEWORKS = { 'Express 5': express, 'Express 4': express4 as unknown as typeof express }
const COMPRESSIONS = ['none', 'outside', 'inside'] as const
const GZIP = { headers: { 'Accept-Encoding': 'gzip' } }

interface Prepared extends Served {
  runs: () => number
  /** Holds the handler in the runs with these numbers. */
  gateOf: (run: number) => Gate
  responses: ServerResponse[]
}

async function prepare(
  { handle }: Style,
  framework: keyof typeof FRAMEWORKS,
  where: (typeof COMPRESSIONS)[number],
  gated: number,
): Promise<Prepared> {
  const made = makeFlight()
  const app = FRAMEWORKS[framework]()
  const gate = new Gate()
  const responses: ServerResponse[] = []
  let runs = 0
  // Errors of the handlers are on purpose.
  app.set('env', 'test')
  app.use((_req: Request, res: Response, next: NextFunction) => {
    responses.push(res)
    next()
  })
  if (where === 'outside') app.use(compression() as RequestHandler)
  app.use(made.flight as unknown as RequestHandler)
  if (where === 'inside') app.use(compression() as RequestHandler)
  app.get('/', (req: Request, res: Response, next: NextFunction) => {
    const number = ++runs
    const pause = () => (number === gated ? gate.pass() : Promise.resolve())
    void settle(handle({ number, pause }, req, res, next), next)
  })
  app.use((error: Error, _req: Request, res: Response, _next: NextFunction) => {
    res.status(500).send(error.message)
  })
  const { server, url } = await listen(createServer(app))
  return { ...made, server, url, runs: () => runs, gateOf: () => gate, responses }
}

describe.each(STYLES.map((style) => [style.name, style] as const))('a handler in the style: %s', (_name, style) => {
  for (const framework of Object.keys(FRAMEWORKS) as Array<keyof typeof FRAMEWORKS>) {
    for (const where of COMPRESSIONS) {
      describe(`${framework}, compression: ${where}`, () => {
        test('is stored as it answered', async () => {
          const { url, runs } = await prepare(style, framework, where, 0)
          const first = await ask(url, GZIP)
          expect([first.status, first.body]).toEqual([style.status, style.body(1)])
          const second = await ask(url, GZIP)
          expect([second.status, second.body]).toEqual([style.status, style.body(1)])
          expect(second.headers['cache-status']).toContain('hit')
          const { 'cache-status': _1, 'transfer-encoding': _2, ...expected } = first.headers
          const {
            'cache-status': _3,
            'transfer-encoding': _4,
            age: _5,
            'content-length': _6,
            ...actual
          } = second.headers
          delete expected['content-length']
          expect(actual).toEqual(expected)
          expect(runs()).toBe(1)
        })

        test('is stored whole although its client has left', async () => {
          const { url, runs, gateOf, cache, responses } = await prepare(style, framework, where, 1)
          const first = open(url, GZIP)
          await gateOf(1).reached
          const [leaders] = responses
          const gone = new Promise((resolve) => leaders?.req.socket.once('close', resolve))
          first.leave()
          await gone
          const stored = refilled(cache)
          gateOf(1).open()
          await stored
          const second = await ask(url, GZIP)
          expect([second.status, second.body]).toEqual([style.status, style.body(1)])
          expect(second.headers['cache-status']).toContain('hit')
          expect(runs()).toBe(1)
        })

        test('is run in the background when it is stale', async () => {
          const { url, runs, gateOf, cache, clock } = await prepare(style, framework, where, 2)
          await ask(url, GZIP)
          clock.skip(61_000)
          const stale = await ask(url, GZIP)
          expect([stale.status, stale.body]).toEqual([style.status, style.body(1)])
          await gateOf(2).reached
          const ended = style.fails ? refillFailed(cache) : refilled(cache)
          gateOf(2).open()
          await ended
          const after = await ask(url, GZIP)
          expect([after.status, after.body]).toEqual([style.status, style.body(style.fails ? 1 : 2)])
          expect(after.headers['cache-status']).toMatch(style.fails ? /hit; ttl=-/ : /hit; ttl=\d/)
          expect(runs()).toBe(2)
        })
      })
    }
  }
})

/** As Express 5 does it, for Express 4 too. */
async function settle(outcome: unknown, next: NextFunction): Promise<void> {
  try {
    await outcome
  } catch (error) {
    next(error)
  }
}

function refillFailed(cache: Served['cache']): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ['refill-failed', 'refilled'] as const) cache.on(event, () => setImmediate(resolve))
  })
}
