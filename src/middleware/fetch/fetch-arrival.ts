import type { NarrowingRequest } from '../answer/narrowed.ts'
import { replyFrom } from '../answer/reply.ts'
import type { Arrival, Passing } from '../reception.ts'
import { type FieldBlock, FieldMap } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'
import type { WaitUntil } from '../wait-until.ts'
import { FetchEdge } from './fetch-edge.ts'
import type { FetchRequest } from './fetch-request.ts'
import { checkResponse, headOf, relabelled, responseOf } from './responses.ts'
import type { Route } from './route.ts'

/** A `Request` that has just come in. */
export class FetchArrival implements Arrival<Request> {
  readonly request: FetchRequest
  readonly isAnswered = false
  readonly waitUntil: WaitUntil | undefined
  readonly #route: Route
  /** The answer. Set once, by one of the three functions below. */
  #response: Response | Promise<Response> | undefined

  constructor(request: FetchRequest, route: Route, waitUntil: WaitUntil | undefined) {
    this.request = request
    this.waitUntil = waitUntil
    this.#route = route
  }

  get response(): Response | Promise<Response> {
    if (this.#response === undefined) throw new Error('nobody has seen to this request')
    return this.#response
  }

  answer(narrowing: NarrowingRequest, stored: StoredResponse, fields: FieldBlock): void {
    const own = this.#route.besideOuter(stored.removed, stored.joins, fields)
    this.#response = responseOf(replyFrom(narrowing, stored, own))
  }

  pass(passing: Passing): void {
    this.#response = this.#pass(passing)
  }

  edge(narrowing: NarrowingRequest): FetchEdge {
    const { waitUntil } = this
    const { signal } = this.request.native
    const edge = new FetchEdge({ signal, narrowing, route: this.#route, waitUntil })
    this.#response = edge.response
    return edge
  }

  async #pass({ label, onAnswer }: Passing): Promise<Response> {
    const { native } = this.request
    const response: unknown = await this.#route.run()
    if (native.headers.has('upgrade')) return response as Response
    checkResponse(response)
    const { status, fields: flat } = headOf(response)
    const fields = new FieldMap(flat)
    onAnswer?.(status, fields)
    const member = label(fields.get('cache-status'), onAnswer === undefined ? undefined : status)
    return relabelled(response, [['Cache-Status', member]])
  }
}
