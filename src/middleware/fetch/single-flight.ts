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
   * Beside the option of the same name: is handed the work for this request that goes on after its response, for hosts
   * that freeze a process once it has responded. It never rejects.
   */
  waitUntil?: WaitUntil | undefined
}

/** Answers a request. */
export type Next = (request: Request) => Response | Promise<Response>

/** `(request, next)` for whatever answers a `Request` with a `Response`. */
export interface Flight {
  /**
   * Answers from what is stored, from another's run, or by `next`, which gets a `Request` without the fields that ask for
   * less than the whole; with those that validate a stored response. Refills in the background call it, too.
   *
   * Rejects with what `next` has thrown; with the `reason` of the request's signal once that aborts; with a `TypeError` if
   * `next` answers with no `Response`, or with one whose body is in use.
   */
  (request: Request, next: Next, options?: RequestOptions): Promise<Response>
  /** The same for one handler. Further arguments are passed on. */
  wrap<Rest extends unknown[]>(
    handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
  ): (request: Request, ...rest: Rest) => Promise<Response>
  /** Where the responses are: for `invalidate`, `clear`, `stats`, `on`. */
  readonly cache: Cache
  /** Closes the cache if this flight has made it itself; a cache from the options stays open. */
  close(): Promise<void>
}

/**
 * Makes what answers GET and HEAD from a cache and lets one handler run serve all who ask meanwhile, in this process and,
 * with Redis in the cache, in all others. Obeys the handler's Cache-Control as a shared cache: RFC 9111.
 *
 * @throws TypeError or RangeError for options that cannot be honoured
 */
export function singleFlight(options: SingleFlightOptions = {}): Flight {
  return createFlight(options, { clock: systemClock, random: systemRandom })
}

/** `singleFlight` with the doors in the caller's hands. */
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
