import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Cache } from '../cache/cache.ts'
import { createCache } from '../cache/create-cache.ts'
import { insideOf } from '../cache/watch/inside.ts'
import { type Clock, systemClock } from '../clock.ts'
import { type Random, systemRandom } from '../random.ts'
import { bypassReason, isUnsafe, markHandled, outerFlightOf, requestDirectives } from './request/bypass.ts'
import { cacheStatusForward } from './rules/cache-status.ts'
import { Exchange } from './flights/exchange.ts'
import { FillFailedError } from './fill/fill-failed-error.ts'
import type { OnError } from './node/handler-run.ts'
import { NodeEdge, type RunHandler } from './node/node-edge.ts'
import { invalidatedTags } from './stored/groups.ts'
import { HttpFlights } from './flights/http-flights.ts'
import { watchUnsafe } from './invalidation.ts'
import { refinedPolicy, resolveOptions, type Settings, type SingleFlightOptions } from './options.ts'
import type { RequestFields } from './rules/fields.ts'
import { selectingFields } from './request/selecting-fields.ts'
import { wrongType } from '../errors.ts'
import { find, lookUp, peekVariant } from './stored/look-up.ts'
import { besideOuterFields, replay, sendDirectly } from './answer/replay.ts'
import { plainHost } from './request/plain-request.ts'
import { originOf, type RoutedRequest } from './request/edge.ts'
import { narrowingRequest } from './request/narrowing.ts'
import { plainKey, resourceKey } from './request/request-key.ts'
import { allKeys, keysOf } from './request/resource-keys.ts'
import type { Stored } from './stored/stored-codec.ts'
import type { StoredResponse } from './stored/stored-response.ts'
import { VaryIndex } from './stored/vary-index.ts'

/** Goes on with the request; with an error to the framework's error handling. */
export type Next = (error?: unknown) => void
export type Handler<Req = IncomingMessage, Res = ServerResponse> = (req: Req, res: Res, next: Next) => unknown

/** `(req, res, next)` for Express 4 and 5, Connect and bare `node:http`. */
export interface Middleware {
  (req: IncomingMessage, res: ServerResponse, next: Next): void
  /**
   * The same for one handler or router. Refills in the background then run at once, on a response of their own, and an
   * error that the handler passes to `next` is seen as what it is.
   */
  wrap<Req extends IncomingMessage, Res extends ServerResponse>(
    handler: Handler<Req, Res>,
  ): (req: Req, res: Res, next: Next) => void
  /** Where the responses are: for `invalidate`, `clear`, `stats`, `on`. */
  readonly cache: Cache
  /** Closes the cache if this middleware has made it itself; a cache from the options stays open. */
  close(): Promise<void>
}

/** Doors of time and chance; tests own them. */
export interface Doors {
  readonly clock: Clock
  readonly random: Random
}

const GATEWAY_TIMEOUT = 504

/**
 * Makes the middleware that answers GET and HEAD from a cache and lets one handler run serve all who ask meanwhile, in
 * this process and, with Redis in the cache, in all others. Obeys the handler's Cache-Control as a shared cache: RFC 9111.
 *
 * @throws TypeError or RangeError for options that cannot be honoured
 */
export function singleFlight(options: SingleFlightOptions = {}): Middleware {
  return createMiddleware(options, { clock: systemClock, random: systemRandom })
}

/** `singleFlight` with the doors in the caller's hands. */
export function createMiddleware(options: SingleFlightOptions, { clock, random }: Doors): Middleware {
  const settings = resolveOptions(options)
  const { waitUntil } = settings
  const cache =
    options.cache ?? createCache({ ttl: 1, memory: { maxEntries: 10_000, maxBytes: 256 * 1024 * 1024 }, waitUntil })
  const keysAreUrls = settings.key === undefined && settings.keyHeaders.length === 0
  const outcomes = insideOf(cache).outcomes
  const flights = new HttpFlights(cache, settings, clock, random)
  // Whoever invalidates, in whatever process: nobody joins a fill any more that began before.
  const stopListening = cache.on('invalidated', ({ key }) => {
    if (key === undefined) flights.forgetAll()
    else flights.forget([key])
  })

  /** Answers most hits, at the least cost. What it leaves unanswered is looked at in full. */
  function answerPlainHit(req: RoutedRequest, res: ServerResponse): boolean {
    if (!keysAreUrls || req.method !== 'GET' || req.httpVersionMajor !== 1 || res.headersSent) return false
    if (outerFlightOf(req) !== undefined || settings.bypass !== undefined) return false
    const host = plainHost(req)
    if (host === undefined) return false
    const key = `Ga${plainKey(req, host, settings)}`
    const stored = peekVariant(cache, key, () => selectingFields(req.headers, settings))
    if (stored === undefined || stored.mustValidate) return false
    outcomes?.hit(key)
    const own = stored.hitFields(clock.wallNow())
    const fields = stored.standsAlone ? own : besideOuterFields(res, stored, own)
    const { status, statusMessage: message, body } = stored
    sendDirectly(res, { status, message, fields, body })
    return true
  }

  function handle(req: IncomingMessage, res: ServerResponse, detachable: boolean, run: RunHandler): void {
    const outer = outerFlightOf(req)
    if (outer !== undefined) outer.policy = refinedPolicy(outer.policy, options, settings, req)
    const bypass = bypassReason(req, res) ?? (asksForBypass(req, settings) ? 'bypass' : undefined)
    const resource = bypass === 'bypass' ? undefined : resourceKey(req, settings)
    if (bypass !== undefined || resource === undefined) {
      passThrough(req, res, resource, bypass ?? 'bypass', run)
      return
    }
    const identity = identityOf(req, settings)
    const keys = keysOf(resource, req.method === 'HEAD', identity !== NOBODY)
    const headers = selectingFields(req.headers, settings)
    const selecting = (): RequestFields => headers
    const stored = lookUp(cache, keys, selecting)
    if (stored?.isSelectedBy(headers)) {
      outcomes?.hit(keys.own)
      answerHit(req, res, stored)
      return
    }
    const stale = stored === undefined ? flights.staleOf(keys.own, clock.wallNow()) : undefined
    if (stale?.isSelectedBy(headers)) {
      outcomes?.stale(keys.own, 'memory')
      answerHit(req, res, stale)
      return
    }
    const { noStore, onlyIfCached } = requestDirectives(req)
    if (noStore && !onlyIfCached) {
      passThrough(req, res, undefined, 'request', run)
      return
    }
    const request = narrowingRequest(req)
    const edge = new NodeEdge({ req, res, request, detachable, run })
    const asked = { ...identity, at: clock.wallNow() }
    const parts = { edge, keys, headers, asked, policy: settings, origin: originOf(req) }
    const exchange = new Exchange({ ...parts, ...request, baseline: edge.baseline })
    markHandled(req, exchange)
    // A flight would look into Redis too, but for the response to a HEAD of its own, and to run the handler.
    if (onlyIfCached || exchange.isHead) void findFirst(exchange, onlyIfCached)
    else enter(exchange)
  }

  async function findFirst(exchange: Exchange, onlyIfCached: boolean): Promise<void> {
    const { edge, keys, headers } = exchange
    const found = await find(cache, keys, () => headers)
    if (found !== undefined) {
      outcomes?.hitInRedis(keys.own)
      edge.answer(found, found.hitFields(clock.wallNow()))
    } else if (onlyIfCached) {
      edge.refuse(GATEWAY_TIMEOUT, cacheStatusForward({ reason: 'request', detail: 'only-if-cached' }, undefined))
    } else enter(exchange)
  }

  function enter(exchange: Exchange): void {
    const index = cache.peek<Stored>(exchange.rootKey)
    if (index instanceof VaryIndex) exchange.select(index)
    flights.enter(exchange)
  }

  function answerHit(req: IncomingMessage, res: ServerResponse, stored: StoredResponse): void {
    replay(narrowingRequest(req), res, stored, stored.hitFields(clock.wallNow()), sendDirectly)
  }

  function passThrough(
    req: IncomingMessage,
    res: ServerResponse,
    resource: string | undefined,
    reason: 'method' | 'bypass' | 'request',
    run: RunHandler,
  ): void {
    if (reason === 'method' && isUnsafe(req.method)) {
      const label = (before: string | undefined, status: number) => cacheStatusForward({ reason, status }, before)
      watchUnsafe(req, res, resource, settings, label, (resources, fields) => {
        const keys = resources.flatMap(allKeys)
        flights.forget(keys)
        // Redis's failures are reported by the cache's own events; the answer to the client does not wait.
        cache.invalidate(keys).catch(() => {})
        const tags = invalidatedTags(originOf(req), fields)
        if (tags.length === 0) return
        flights.forgetAll()
        cache.invalidateTags(tags).catch(() => {})
      })
    } else if (!res.headersSent && req.headers.upgrade === undefined && !res.hasHeader('Cache-Status')) {
      res.setHeader('Cache-Status', cacheStatusForward({ reason }, undefined))
    }
    run(req, res, (_error, goOn) => goOn())
  }

  function middleware(req: IncomingMessage, res: ServerResponse, next: Next): void {
    if (answerPlainHit(req, res)) return
    handle(req, res, false, (_req, _res, onError) => follow(next() as unknown, onError))
  }

  middleware.wrap = <Req extends IncomingMessage, Res extends ServerResponse>(handler: Handler<Req, Res>) => {
    return (req: Req, res: Res, next: Next): void => {
      if (answerPlainHit(req, res)) return
      handle(req, res, true, (_req, itsRes, onError) => {
        const itsNext: Next = (error) => {
          // A response of its own has no client, and nothing that comes after the handler.
          const goOn = itsRes === res ? () => next(error) : () => {}
          if (error !== undefined && error !== null) onError(error, goOn)
          else if (itsRes === res) next()
          else onError(new FillFailedError('the handler left its response to others'), goOn)
        }
        callHandler(handler, req, itsRes as Res, itsNext)
      })
    }
  }
  middleware.cache = cache
  middleware.close = async (): Promise<void> => {
    stopListening()
    if (options.cache === undefined) await cache.close()
  }
  return middleware
}

interface Identity {
  readonly authorization: boolean
  readonly cookie: boolean
}

const NOBODY: Identity = { authorization: false, cookie: false }

/** By what the request says who it comes from. */
function identityOf({ headers }: IncomingMessage, settings: Settings): Identity {
  const authorization = headers.authorization !== undefined
  const cookie = headers.cookie !== undefined && !settings.ignoreCookies
  return authorization || cookie ? { authorization, cookie } : NOBODY
}

function asksForBypass(req: IncomingMessage, { bypass }: Settings): boolean {
  if (bypass === undefined) return false
  const answer = bypass(req)
  if (typeof answer !== 'boolean') throw wrongType('the result of bypass', 'a boolean', answer)
  return answer
}

/** Learns of a promise's failure without taking it from whoever would have seen it without us. */
function follow(outcome: unknown, onError: OnError): void {
  if (!(outcome instanceof Promise)) return
  outcome.then(undefined, (error: unknown) => {
    onError(error, () => {})
    throw error
  })
}

function callHandler<Req, Res>(handler: Handler<Req, Res>, req: Req, res: Res, next: Next): void {
  let outcome: unknown
  try {
    outcome = handler(req, res, next)
  } catch (error) {
    next(error ?? new Error('the handler threw nothing'))
    return
  }
  if (outcome instanceof Promise) void passRejection(outcome, next)
}

async function passRejection(outcome: Promise<unknown>, next: Next): Promise<void> {
  try {
    await outcome
  } catch (error) {
    next(error ?? new Error('the handler rejected with nothing'))
  }
}
