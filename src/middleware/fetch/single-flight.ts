import type { Cache } from '../../cache/cache.ts'
import { checkFunction } from '../../check.ts'
import { systemClock } from '../../clock.ts'
import { wrongType } from '../../errors.ts'
import { systemRandom } from '../../random.ts'
import type { OptionsFor } from '../options.ts'
import type { Doors } from '../reception.ts'
import type { WaitUntil } from '../wait-until.ts'
import { FetchDesk } from './fetch-desk.ts'
import { FetchRequest } from './fetch-request.ts'
import { plainRoute } from './route.ts'

/** Options of `singleFlight`. All durations are whole milliseconds. */
export interface SingleFlightOptions extends OptionsFor<Request> {}

/** Options of one request. */
export interface RequestOptions {
  /**
   * Receives the work for this request that goes on after its response, as the option of the same name also does. For
   * hosts that freeze a process once it has responded. The promise never rejects.
   */
  waitUntil?: WaitUntil | undefined
}

/** Answers a request. */
export type Next = (request: Request) => Response | Promise<Response>

/** `(request, next)` for handlers that answer a `Request` with a `Response`. */
export interface Flight {
  /**
   * Answers from the store, from the run of another request, or by `next`. The `Request` for `next` lacks the fields that
   * ask for less than the whole, and has those that validate a stored response. Background refills call `next` too.
   *
   * Rejects with what `next` has thrown, with the `reason` of the request's signal once that aborts, and with a `TypeError`
   * if `next` answers with no `Response`, or with one whose body is in use.
   */
  (request: Request, next: Next, options?: RequestOptions): Promise<Response>
  /** The same for one handler. Further arguments are passed on. */
  wrap<Rest extends unknown[]>(
    handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
  ): (request: Request, ...rest: Rest) => Promise<Response>
  /** Where the responses are: for `invalidate`, `clear`, `stats`, `on`. */
  readonly cache: Cache
  /** Closes the cache if this flight has made it. A cache from the options stays open. */
  close(): Promise<void>
}

/**
 * Makes a function that answers GET and HEAD from a cache. One handler run serves all requests that arrive meanwhile, in
 * this process and, with Redis in the cache, in all others. Obeys the handler's Cache-Control as a shared cache: RFC 9111.
 *
 * @throws TypeError or RangeError for options that cannot be honoured
 */
export function singleFlight(options: SingleFlightOptions = {}): Flight {
  return createFlight(options, { clock: systemClock, random: systemRandom })
}

/** `singleFlight` with the caller's clock and random source. */
export function createFlight(options: SingleFlightOptions, doors: Doors): Flight {
  const desk = new FetchDesk(options, doors)

  async function flight(request: Request, next: Next, { waitUntil }: RequestOptions = {}): Promise<Response> {
    checkRequest(request)
    checkFunction('next', next)
    if (waitUntil !== undefined) checkFunction('waitUntil', waitUntil)
    const view = new FetchRequest(request)
    return desk.plainHit(view) ?? desk.receive(view, plainRoute(request, next), waitUntil)
  }

  flight.wrap = <Rest extends unknown[]>(
    handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
  ): ((request: Request, ...rest: Rest) => Promise<Response>) => {
    checkFunction('handler', handler)
    return (request, ...rest) => flight(request, (seen) => handler(seen, ...rest))
  }
  flight.cache = desk.cache
  flight.close = (): Promise<void> => desk.close()
  return flight
}

function checkRequest(request: unknown): void {
  const { url, method, headers } = (request ?? {}) as Partial<Request>
  if (typeof url !== 'string' || typeof method !== 'string' || typeof headers?.get !== 'function') {
    throw wrongType('request', 'a Request', request)
  }
}
