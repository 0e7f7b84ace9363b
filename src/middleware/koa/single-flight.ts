import type { Cache } from '../../cache/cache.ts'
import { systemClock } from '../../clock.ts'
import { systemRandom } from '../../random.ts'
import { plainHost } from '../node/plain-host.ts'
import { NodeRequest } from '../node/node-request.ts'
import { besideFieldsOf } from '../node/send.ts'
import type { SingleFlightOptions } from '../node/single-flight.ts'
import { type Doors, Reception } from '../reception.ts'
import { waitUntilOf } from '../wait-until.ts'
import { answerStored } from './answer-on.ts'
import { KoaArrival } from './koa-arrival.ts'
import { isWritten, type KoaContext, type KoaNext } from './koa-context.ts'

/** A layer of Koa, 2 and 3. */
export interface KoaFlight {
  (context: KoaContext, next: KoaNext): Promise<void>
  /** Where the responses are: for `invalidate`, `clear`, `stats`, `on`. */
  readonly cache: Cache
  /** Closes the cache if this layer has made it. A cache from the options stays open. */
  close(): Promise<void>
}

/**
 * Makes a layer that answers GET and HEAD from a cache. One handler run serves all requests that arrive meanwhile, in this
 * process and, with Redis in the cache, in all others. Obeys the handler's Cache-Control as a shared cache: RFC 9111.
 *
 * @throws TypeError or RangeError for options that cannot be honoured
 */
export function singleFlight(options: SingleFlightOptions = {}): KoaFlight {
  return createKoaFlight(options, { clock: systemClock, random: systemRandom })
}

/** `singleFlight` with the caller's clock and random source. */
export function createKoaFlight(options: SingleFlightOptions, doors: Doors): KoaFlight {
  const reception = new Reception(options, doors)
  const waitUntil = waitUntilOf(reception.settings.waitUntil)

  /** Answers most hits, at the least cost. `receive` handles the requests that this leaves. */
  function answerPlainHit(request: NodeRequest, context: KoaContext): boolean {
    const { req, res } = context
    if (!reception.knowsPlainHits || req.method !== 'GET' || isWritten(context)) return false
    const host = req.httpVersionMajor === 1 ? plainHost(req) : undefined
    const stored = host === undefined ? undefined : reception.plainHit(request, host)
    if (stored === undefined) return false
    const fields = besideFieldsOf(res, stored, stored.hitFields(reception.clock.wallNow()))
    const { status, statusMessage: message, body } = stored
    answerStored(context, { status, message, fields, body })
    return true
  }

  async function flight(context: KoaContext, next: KoaNext): Promise<void> {
    const { req, originalUrl } = context
    const request = new NodeRequest(req, originalUrl)
    if (answerPlainHit(request, context)) return
    const arrival = new KoaArrival({ request, context, next, waitUntil })
    reception.receive(arrival)
    await arrival.answered
  }
  flight.cache = reception.cache
  flight.close = (): Promise<void> => reception.close()
  return flight
}
