import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { getRequestListener } from '@hono/node-server'
import connect from 'connect'
import express from 'express'
import express4 from 'express4'
import { onTestFinished } from 'vitest'

import type { Cache } from '../../../src/cache/cache.ts'
import { createCacheOn } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import { systemRandom } from '../../../src/random.ts'
import { createFlight } from '../../../src/middleware/fetch/single-flight.ts'
import {
  createMiddleware,
  type Handler,
  type Middleware,
  type SingleFlightOptions,
} from '../../../src/middleware/node/single-flight.ts'
import { listenerOf } from './fetch-server.ts'
import { nodeStyle, type PlainHandler } from './node-style.ts'
import { SkippingClock } from './skipping-clock.ts'

export type { PlainHandler }

/** Those of Node's own request and response. */
export const NODE_MOUNTS = ['Express 5', 'Express 4', 'Connect', 'node:http', 'in front of Express 5', 'wrap'] as const
export const MOUNTS = [...NODE_MOUNTS, 'fetch', '@hono/node-server'] as const
export type Mount = (typeof MOUNTS)[number]

let defaultMount: Mount = 'node:http'

/** Whatever a test file serves from here on, it serves from a handler that answers a `Request` with a `Response`. */
export function serveOnFetch(): void {
  defaultMount = 'fetch'
}

export interface Served {
  url: string
  server: Server
  flight: Pick<Middleware, 'cache' | 'close'>
  cache: Cache
  clock: SkippingClock
}

export interface ServeOptions extends Omit<SingleFlightOptions, 'cache'> {
  cacheOptions?: Partial<CacheOptions>
}

/** A memory-only cache on a clock that the test may set forward. Closed after the test. */
function makeCache(options?: Partial<CacheOptions>): { clock: SkippingClock; cache: Cache } {
  const clock = new SkippingClock()
  const cache = createCacheOn({ ttl: 60_000, ...options }, clock, systemRandom)
  onTestFinished(() => cache.close())
  return { clock, cache }
}

/** A middleware with such a cache. */
export function makeFlight({ cacheOptions, ...options }: ServeOptions = {}) {
  const { clock, cache } = makeCache(cacheOptions)
  const flight = createMiddleware({ ...options, cache }, { clock, random: systemRandom })
  return { clock, cache, flight }
}

/** The same for `fetch`. */
export function makeFetchFlight({ cacheOptions, ...options }: ServeOptions = {}) {
  const { clock, cache } = makeCache(cacheOptions)
  const flight = createFlight({ ...options, cache } as never, { clock, random: systemRandom })
  return { clock, cache, flight }
}

/** Serves `handler` behind a middleware, mounted in one of the documented ways. */
export async function serve(
  handler: PlainHandler,
  options: ServeOptions = {},
  mount: Mount = defaultMount,
  outside: Layer = goOn,
): Promise<Served> {
  if (mount === 'fetch' || mount === '@hono/node-server') {
    const made = makeFetchFlight(options)
    const wrapped = made.flight.wrap(nodeStyle(handler))
    const listener: RequestListener = mount === 'fetch' ? listenerOf(wrapped) : getRequestListener(wrapped)
    const server = createServer((req, res) => outside(req, res, () => listener(req, res)))
    return { ...made, ...(await listen(server)) }
  }
  const made = makeFlight(options)
  return { ...made, ...(await listen(createServer(mounted(mount, made.flight, handler, outside)))) }
}

/** A layer outside the middleware, on each of its mounts. */
export type Layer = (req: IncomingMessage, res: ServerResponse, next: () => void) => void

const goOn: Layer = (_req, _res, next) => next()

/** Listens until the test is over. */
export async function listen(server: Server): Promise<{ url: string; server: Server }> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function mounted(
  mount: (typeof NODE_MOUNTS)[number],
  flight: Middleware,
  handler: PlainHandler,
  outside: Layer,
): (req: IncomingMessage, res: ServerResponse) => void {
  switch (mount) {
    case 'Express 5':
      return express()
        .set('env', 'test')
        .use(outside as never, flight)
        .use(handler as never)
    case 'Express 4':
      return express4()
        .set('env', 'test')
        .use(outside as never, flight)
        .use(handler as never) as never
    case 'Connect':
      return connect()
        .use(outside as never)
        .use(flight as never)
        .use(handler)
    case 'node:http':
      return (req, res) => outside(req, res, () => flight(req, res, () => handler(req, res)))
    case 'in front of Express 5': {
      const app = express()
        .set('env', 'test')
        .use(handler as never)
      return (req, res) => outside(req, res, () => flight(req, res, () => app(req as never, res as never)))
    }
    case 'wrap':
      return express()
        .set('env', 'test')
        .use(outside as never)
        .use(flight.wrap(handler as Handler) as never)
  }
}

/** Resolves when the cache has taken the result of a loader: what a background run brings is stored then. */
export function refilled(cache: Cache): Promise<void> {
  return new Promise((resolve) => {
    const off = cache.on('refilled', () => {
      off()
      setImmediate(resolve)
    })
  })
}
