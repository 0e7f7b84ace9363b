import { createRequire } from 'node:module'
import { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'

import express, { type Express, type RequestHandler } from 'express'

import { singleFlight } from '../../src/middleware/single-flight.ts'

/** A server that answers with a page of `bytes` bytes, which takes its handler `delay` ms. */
export interface Load {
  readonly bytes: number
  readonly delay: number
  /** Seconds of freshness; stale responses may be sent for a minute more. */
  readonly maxAge: number
}

export interface Contender {
  readonly name: string
  /** What its hits are compared with: the least that does the same at the same place. */
  readonly limit?: string
  /** Peers are in a package of their own; those that are not installed are left out. */
  readonly needs?: string
  /** Calls `onRun` whenever the handler runs. */
  make(load: Load, onRun: () => void): RequestListener
}

type Next = () => void
type Middleware = (req: IncomingMessage, res: ServerResponse, next: Next) => void

export const contenders: readonly Contender[] = [
  { name: 'node:http, no cache', make: (load, onRun) => handlerOf(load, onRun) },
  { name: 'limit in front', make: (load, onRun) => inFront(leastMiddleware(load), load, onRun) },
  { name: 'herdlock in front', limit: 'limit in front', make: (load, onRun) => inFront(singleFlight(), load, onRun) },
  { name: 'express, no cache', make: (load, onRun) => appWith([], load, onRun) },
  { name: 'limit inside express', make: (load, onRun) => appWith([leastMiddleware(load)], load, onRun) },
  {
    name: 'herdlock inside express',
    limit: 'limit inside express',
    make: (load, onRun) => appWith([singleFlight()], load, onRun),
  },
  {
    name: 'apicache inside express',
    limit: 'limit inside express',
    needs: 'apicache',
    make: (load, onRun) => appWith([apicache(load)], load, onRun),
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
    make: (load, onRun) => appWith([routeCache(load)], load, onRun),
  },
]

function handlerOf({ bytes, delay, maxAge }: Load, onRun: () => void): RequestListener {
  const page = Buffer.alloc(bytes, 'x')
  return (_req, res) => {
    onRun()
    const answer = (): void => {
      res.setHeader('Cache-Control', `max-age=${maxAge}, stale-while-revalidate=60`)
      res.setHeader('Content-Type', 'text/plain')
      res.end(page)
    }
    if (delay === 0) answer()
    else setTimeout(answer, delay)
  }
}

function inFront(middleware: Middleware, load: Load, onRun: () => void): RequestListener {
  const app = appWith([], load, onRun)
  return (req, res) => middleware(req, res, () => app(req, res))
}

function appWith(middlewares: readonly Middleware[], load: Load, onRun: () => void): RequestListener {
  const app: Express = express()
  for (const middleware of middlewares) app.use(middleware as unknown as RequestHandler)
  app.use(handlerOf(load, onRun) as unknown as RequestHandler)
  return app
}

/** Useful work only: one look-up, one comparison of times, one header, one Buffer; waiters in a list. Not safe. */
function leastMiddleware({ maxAge }: Load): Middleware {
  interface Kept {
    fields: string[]
    body: Buffer
    until: number
  }
  const kept = new Map<string, Kept>()
  const waiting = new Map<string, ServerResponse[]>()
  return (req, res, next) => {
    const url = req.url ?? ''
    const found = kept.get(url)
    if (found !== undefined && (Date.now() < found.until || waiting.has(url))) {
      res.writeHead(200, found.fields)
      res.end(found.body)
      return
    }
    const queue = waiting.get(url)
    if (queue !== undefined) {
      queue.push(res)
      return
    }
    waiting.set(url, [])
    const end = res.end.bind(res)
    res.end = ((body: Buffer) => {
      const fields = Object.entries(res.getHeaders()).flatMap(([name, value]) => [name, String(value)])
      fields.push('Content-Length', String(body.length), 'Date', new Date().toUTCString(), 'Age', '0')
      const entry = { fields, body, until: Date.now() + maxAge * 1000 }
      kept.set(url, entry)
      end(body)
      for (const other of waiting.get(url) ?? []) {
        other.writeHead(200, fields)
        other.end(body)
      }
      waiting.delete(url)
    }) as typeof res.end
    next()
  }
}

const peers = createRequire(import.meta.url)

function apicache({ maxAge }: Load): Middleware {
  const module = peers('apicache') as { newInstance: () => { middleware: (duration: string) => Middleware } }
  return module.newInstance().middleware(`${maxAge} seconds`)
}

function routeCache({ maxAge }: Load): Middleware {
  const module = peers('route-cache') as { cacheSeconds: (seconds: number) => Middleware }
  return module.cacheSeconds(maxAge)
}

/** Whether the package that a contender needs is installed. */
export function isAvailable({ needs }: Contender): boolean {
  if (needs === undefined) return true
  try {
    peers.resolve(needs)
    return true
  } catch {
    return false
  }
}
