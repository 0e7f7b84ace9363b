import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Cache } from '../../cache/cache.ts'
import { systemClock } from '../../clock.ts'
import { systemRandom } from '../../random.ts'
import { FillFailedError } from '../fill/fill-failed-error.ts'
import type { OptionsFor } from '../options.ts'
import { type Doors, Reception } from '../reception.ts'
import { waitUntilOf } from '../wait-until.ts'
import type { OnError } from './handler-run.ts'
import { NodeArrival } from './node-arrival.ts'
import type { RunHandler } from './node-edge.ts'
import { NodeRequest } from './node-request.ts'
import { plainHost } from './plain-host.ts'
import { besideFieldsOf, send } from './send.ts'

/** Options of `singleFlight`. All durations are whole milliseconds. */
export interface SingleFlightOptions extends OptionsFor<IncomingMessage> {}

/** Goes on with the request, or with an error to the framework's error handling. */
export type Next = (error?: unknown) => void
export type Handler<Req = IncomingMessage, Res = ServerResponse> = (req: Req, res: Res, next: Next) => unknown

/** `(req, res, next)` for Express 4 and 5, Connect and bare `node:http`. */
export interface Middleware {
  (req: IncomingMessage, res: ServerResponse, next: Next): void
  /**
   * The same for one handler or router. Background refills then run at once, on a response of their own. An error that the
   * handler passes to `next` is recognised as an error.
   */
  wrap<Req extends IncomingMessage, Res extends ServerResponse>(
    handler: Handler<Req, Res>,
  ): (req: Req, res: Res, next: Next) => void
  /** Where the responses are: for `invalidate`, `clear`, `stats`, `on`. */
  readonly cache: Cache
  /** Closes the cache if this middleware has made it. A cache from the options stays open. */
  close(): Promise<void>
}

/**
 * Makes a middleware that answers GET and HEAD from a cache. One handler run serves all requests that arrive meanwhile, in
 * this process and, with Redis in the cache, in all others. Obeys the handler's Cache-Control as a shared cache: RFC 9111.
 *
 * @throws TypeError or RangeError for options that cannot be honoured
 */
export function singleFlight(options: SingleFlightOptions = {}): Middleware {
  return createMiddleware(options, { clock: systemClock, random: systemRandom })
}

/** `singleFlight` with the caller's clock and random source. */
export function createMiddleware(options: SingleFlightOptions, doors: Doors): Middleware {
  const reception = new Reception<IncomingMessage>(options, doors)
  const waitUntil = waitUntilOf(reception.settings.waitUntil)

  /** Answers most hits, at the least cost. `receive` handles the requests that this leaves. */
  function answerPlainHit(request: NodeRequest, res: ServerResponse): boolean {
    const req = request.native
    if (!reception.knowsPlainHits || req.method !== 'GET' || req.httpVersionMajor !== 1 || res.headersSent) return false
    const host = plainHost(req)
    const stored = host === undefined ? undefined : reception.plainHit(request, host)
    if (stored === undefined) return false
    const own = stored.hitFields(reception.clock.wallNow())
    const fields = stored.standsAlone ? own : besideFieldsOf(res, stored, own)
    const { status, statusMessage: message, body } = stored
    send(res, { status, message, fields, body })
    return true
  }

  function handle(req: IncomingMessage, res: ServerResponse, isDetachable: boolean, run: RunHandler): void {
    const request = new NodeRequest(req)
    if (answerPlainHit(request, res)) return
    reception.receive(new NodeArrival({ request, res, isDetachable, run, waitUntil }))
  }

  function middleware(req: IncomingMessage, res: ServerResponse, next: Next): void {
    handle(req, res, false, (_req, _res, onError) => follow(next() as unknown, onError))
  }

  middleware.wrap = <Req extends IncomingMessage, Res extends ServerResponse>(handler: Handler<Req, Res>) => {
    return (req: Req, res: Res, next: Next): void => {
      handle(req, res, true, (_req, itsRes, onError) => {
        const itsNext: Next = (error) => {
          // A response of its own has no client, and nothing runs after its handler.
          const goOn = itsRes === res ? () => next(error) : () => {}
          if (error !== undefined && error !== null) onError(error, goOn)
          else if (itsRes === res) next()
          else onError(new FillFailedError('the handler left its response to others'), goOn)
        }
        callHandler(handler, req, itsRes as Res, itsNext)
      })
    }
  }
  middleware.cache = reception.cache
  middleware.close = (): Promise<void> => reception.close()
  return middleware
}

/** Learns of a promise's failure. Code that would see the failure without us still sees it. */
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
