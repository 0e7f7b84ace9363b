import type { Cache } from '../../cache/cache.ts'
import type { OptionsFor } from '../options.ts'
import { type Doors, Reception } from '../reception.ts'
import { type WaitUntil, waitUntilOf } from '../wait-until.ts'
import { FetchArrival } from './fetch-arrival.ts'
import type { FetchRequest } from './fetch-request.ts'
import { responseOf } from './responses.ts'
import type { Route } from './route.ts'

/** Receives `Request`s, whichever way they reach their handler. */
export class FetchDesk {
  readonly cache: Cache
  readonly #reception: Reception<Request>

  /** @throws TypeError or RangeError for options that cannot be honoured */
  constructor(options: OptionsFor<Request>, doors: Doors) {
    this.#reception = new Reception(options, doors)
    this.cache = this.#reception.cache
  }

  /** Answers most hits at the least cost, where no outer layer is. `receive` handles the requests that this leaves. */
  plainHit(request: FetchRequest): Response | undefined {
    if (!this.#reception.knowsPlainHits || request.method !== 'GET') return undefined
    const host = request.plainHost
    const stored = host === undefined ? undefined : this.#reception.plainHit(request, host)
    if (stored === undefined) return undefined
    const { status, statusMessage: message, body } = stored
    const fields = stored.hitFields(this.#reception.clock.wallNow())
    return responseOf({ status, message, fields, body: body.length === 0 ? undefined : body })
  }

  receive(request: FetchRequest, route: Route, waitUntil: WaitUntil | undefined): Response | Promise<Response> {
    const all = waitUntilOf(this.#reception.settings.waitUntil, waitUntil)
    const arrival = new FetchArrival(request, route, all)
    this.#reception.receive(arrival)
    return arrival.response
  }

  close(): Promise<void> {
    return this.#reception.close()
  }
}
