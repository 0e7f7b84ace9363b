import type { Cache } from '../../cache/cache.ts'
import { systemClock } from '../../clock.ts'
import { systemRandom } from '../../random.ts'
import { FetchDesk } from '../fetch/fetch-desk.ts'
import { FetchRequest } from '../fetch/fetch-request.ts'
import { baselineOf, OuterFields } from '../fetch/outer-fields.ts'
import { callAtOnce, type Route } from '../fetch/route.ts'
import type { SingleFlightOptions } from '../fetch/single-flight.ts'
import { type RunTerms, wholeRequest } from '../fetch/whole-request.ts'
import type { Doors } from '../reception.ts'
import type { HonoContext, HonoNext } from './hono-context.ts'
import { onOwnContext } from './own-context.ts'

/** A layer of Hono 4. */
export interface HonoFlight {
  (context: HonoContext, next: HonoNext): Promise<void>
  /** Where the responses are: for `invalidate`, `clear`, `stats`, `on`. */
  readonly cache: Cache
  /** Closes the cache if this layer has made it. A cache from the options stays open. */
  close(): Promise<void>
}

/** The status that nginx uses. Nobody reads this answer. */
const CLIENT_HAS_LEFT = 499

/**
 * Makes a layer that answers GET and HEAD from a cache. One handler run serves all requests that arrive meanwhile, in this
 * process and, with Redis in the cache, in all others. Obeys the handler's Cache-Control as a shared cache: RFC 9111.
 *
 * @throws TypeError or RangeError for options that cannot be honoured
 */
export function singleFlight(options: SingleFlightOptions = {}): HonoFlight {
  return createHonoFlight(options, { clock: systemClock, random: systemRandom })
}

/** `singleFlight` with the caller's clock and random source. */
export function createHonoFlight(options: SingleFlightOptions, doors: Doors): HonoFlight {
  const desk = new FetchDesk(options, doors)

  async function flight(context: HonoContext, next: HonoNext): Promise<void> {
    if (context.finalized) return next()
    const { raw } = context.req
    const request = new FetchRequest(raw)
    const { headers } = context.res
    const hit = isEmpty(headers) ? desk.plainHit(request) : undefined
    if (hit !== undefined) {
      answer(context, hit)
      return
    }
    const outer = new OuterFields(baselineOf(headers))
    const onOwn = onOwnContext(context, flight, outer.baseline)
    let run: Promise<void> | undefined
    const route: Route = {
      baseline: outer.baseline,
      besideOuter: outer.beside.bind(outer),
      standIn: onOwn && ((terms: RunTerms) => onOwn(wholeRequest(raw, terms))),
      whenFree: callAtOnce,
      run: async (terms) => {
        run = runOn(context, terms === undefined ? raw : wholeRequest(raw, terms), next)
        await run
        return context.finalized ? context.res : context.notFound()
      },
    }
    try {
      answer(context, await desk.receive(request, route, (work) => keepAlive(context, work)))
    } catch (error) {
      if (!raw.signal.aborted) throw error
      // The handler still answers on this context, for others. Until it has, the context must not be final.
      await run
      answer(context, new Response(null, { status: CLIENT_HAS_LEFT }))
    }
  }
  flight.cache = desk.cache
  flight.close = (): Promise<void> => desk.close()
  return flight
}

function isEmpty(headers: Headers): boolean {
  return headers.keys().next().done === true
}

/** Replaces the response that outer layers have begun. The new one already has their fields. */
function answer(context: HonoContext, response: Response): void {
  context.res = undefined
  context.res = response
}

/** Afterwards, outer layers see their own request again. */
async function runOn(context: HonoContext, asked: Request, next: HonoNext): Promise<void> {
  const { req } = context
  const { raw } = req
  req.raw = asked
  try {
    await next()
  } finally {
    req.raw = raw
  }
}

function keepAlive(context: HonoContext, work: Promise<unknown>): void {
  let host: HonoContext['executionCtx']
  try {
    host = context.executionCtx
  } catch {
    return // it has none
  }
  host.waitUntil(work)
}
