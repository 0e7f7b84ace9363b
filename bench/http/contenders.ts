import { createRequire } from 'node:module'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

import { getRequestListener } from '@hono/node-server'
import express, { type RequestHandler } from 'express'
import { Hono } from 'hono'
import { singleFlight } from 'herdlock/express'
import { type HonoFlight, singleFlight as honoFlight } from 'herdlock/hono'

import { leastMiddleware, type Middleware } from './limit.ts'
import { type Load, originOf } from './origin.ts'

/** A cache in the server's own process. */
export interface InProcess {
  readonly name: string
  /** What its hits are compared with: the least that does the same at the same place. */
  readonly limit?: string
  /** Packages of peers are installed apart; those that are not there are left out. */
  readonly needs?: string
  /** Calls `onRun` whenever a handler runs. */
  make(load: Load, onRun: () => void): RequestListener
}

export const HERDLOCK_IN_FRONT = 'herdlock in front'
export const HERDLOCK_INSIDE = 'herdlock inside express'
export const BARE = 'node:http, no cache'

export const inProcess: readonly InProcess[] = [
  { name: BARE, make: originOf },
  { name: 'limit in front', make: (load, onRun) => inFront(leastMiddleware(load), load, onRun) },
  { name: HERDLOCK_IN_FRONT, limit: 'limit in front', make: (load, onRun) => inFront(singleFlight(), load, onRun) },
  { name: 'express, no cache', make: (load, onRun) => inside(undefined, load, onRun) },
  { name: 'limit inside express', make: (load, onRun) => inside(leastMiddleware(load), load, onRun) },
  { name: HERDLOCK_INSIDE, limit: 'limit inside express', make: (load, onRun) => inside(singleFlight(), load, onRun) },
  {
    name: 'apicache inside express',
    limit: 'limit inside express',
    needs: 'apicache',
    make: (load, onRun) => inside(apicache(load), load, onRun),
  },
  {
    name: 'apicache in front',
    limit: 'limit in front',
    needs: 'apicache',
    make: (load, onRun) => inFront(apicache(load), load, onRun),
  },
  {
    name: 'route-cache inside express',
    limit: 'limit inside express',
    needs: 'route-cache',
    make: (load, onRun) => inside(routeCache(load), load, onRun),
  },
  { name: 'limit in hono', make: fromMap },
  { name: 'herdlock in hono', limit: 'limit in hono', make: (load, onRun) => inHono(honoFlight(), load, onRun) },
]

function inFront(middleware: Middleware, load: Load, onRun: () => void): RequestListener {
  const app = inside(undefined, load, onRun)
  return (req, res) => middleware(req, res, () => app(req, res))
}

function inside(middleware: Middleware | undefined, load: Load, onRun: () => void): RequestListener {
  const app = express()
  if (middleware !== undefined) app.use(middleware as unknown as RequestHandler)
  app.use(originOf(load, onRun) as unknown as RequestHandler)
  return app
}

function inHono(layer: HonoFlight, load: Load, onRun: () => void): RequestListener {
  const app = new Hono().use(layer)
  const page = honoPageOf(load, onRun)
  app.get('/page', () => page())
  return getRequestListener(app.fetch) as RequestListener
}

/** A handler of Hono as one writes it by hand: it answers from a Map. Nobody waits for another's page. */
function fromMap(load: Load, onRun: () => void): RequestListener {
  const kept = new Map<string, { body: ArrayBuffer; headers: Record<string, string>; until: number }>()
  const page = honoPageOf(load, onRun)
  const app = new Hono().get('/page', async ({ req }) => {
    let found = kept.get(req.url)
    if (found === undefined || Date.now() >= found.until) {
      const response = await page()
      const headers = { ...Object.fromEntries(response.headers), Age: '0', Date: new Date().toUTCString() }
      found = { body: await response.arrayBuffer(), headers, until: Date.now() + load.maxAge * 1000 }
      kept.set(req.url, found)
    }
    return new Response(found.body, { headers: found.headers })
  })
  return getRequestListener(app.fetch) as RequestListener
}

function honoPageOf({ bytes, delay: pageDelay, maxAge }: Load, onRun: () => void): () => Promise<Response> {
  const body = 'x'.repeat(bytes)
  const headers = {
    'Cache-Control': `max-age=${maxAge}, stale-while-revalidate=60`,
    'Content-Type': 'text/plain',
    'Content-Length': String(bytes),
  }
  return async () => {
    onRun()
    if (pageDelay > 0) await delay(pageDelay)
    return new Response(body, { headers })
  }
}

export const peers = createRequire(new URL('peers/package.json', import.meta.url))

function apicache({ maxAge }: Load): Middleware {
  const module = peers('apicache') as { newInstance: () => { middleware: (duration: string) => Middleware } }
  return module.newInstance().middleware(`${maxAge} seconds`)
}

function routeCache({ maxAge }: Load): Middleware {
  const module = peers('route-cache') as { cacheSeconds: (seconds: number) => Middleware }
  return module.cacheSeconds(maxAge)
}

interface Undici {
  Agent: new (options: object) => { compose(interceptor: unknown): unknown }
  interceptors: { cache(): unknown }
  request(
    url: string,
    options: object,
  ): Promise<{ statusCode: number; headers: Record<string, string | string[]>; body: NodeJS.ReadableStream }>
}

/** The smallest proxy there can be, with undici's cache in the client's place. */
export function undiciProxy(originPort: number): RequestListener {
  const { Agent, interceptors, request } = peers('undici') as Undici
  const dispatcher = new Agent({ connections: 1000 }).compose(interceptors.cache())
  const forward = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const { connection: _connection, host: _host, ...headers } = req.headers
    try {
      const answer = await request(`http://127.0.0.1:${originPort}${req.url}`, { dispatcher, headers })
      const { connection: _hop, 'keep-alive': _alive, 'transfer-encoding': _coding, ...fields } = answer.headers
      res.writeHead(answer.statusCode, fields)
      answer.body.pipe(res).on('error', () => {})
      res.once('close', () => (answer.body as unknown as { destroy(): void }).destroy())
      answer.body.on('error', () => res.destroy())
    } catch {
      if (res.headersSent) res.destroy()
      else res.writeHead(502).end()
    }
  }
  return (req, res) => void forward(req, res)
}

/** Whether a peer's package is installed. */
export function isInstalled(name: string): boolean {
  try {
    peers.resolve(name)
    return true
  } catch {
    return false
  }
}
