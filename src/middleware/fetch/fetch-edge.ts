import { AsyncResource } from 'node:async_hooks'

import type { NarrowingRequest } from '../answer/narrowed.ts'
import { replyFrom } from '../answer/reply.ts'
import type { FollowedHead, Outlet, OutletListener } from '../fill/sink.ts'
import type { ResponseHead, Source, SourceObserver, SourceTerms } from '../fill/source.ts'
import type { Edge } from '../flights/edge.ts'
import type { Baseline, FieldBlock } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'
import type { WaitUntil } from '../wait-until.ts'
import { BodyStream, NoBody } from './body-stream.ts'
import { Client, NOBODY } from './client.ts'
import { type FetchCall, FetchRun } from './fetch-run.ts'
import { checkResponse, headersInit, headOf, mayHaveBody, relabelled, responseOf } from './responses.ts'
import type { Route } from './route.ts'

interface FetchEdgeParts {
  /** Aborted when the client leaves. */
  signal: AbortSignal
  narrowing: NarrowingRequest
  route: Route
  waitUntil: WaitUntil | undefined
}

/** A request, and the promise of its `Response`. */
export class FetchEdge implements Edge {
  readonly baseline: Baseline
  readonly #narrowing: NarrowingRequest
  readonly #route: Route
  readonly #waitUntil: WaitUntil | undefined
  readonly #client: Client
  readonly #scope = new AsyncResource('herdlock.Exchange', { requireManualDestroy: true })

  constructor({ signal, narrowing, route, waitUntil }: FetchEdgeParts) {
    this.#narrowing = narrowing
    this.#route = route
    this.#waitUntil = waitUntil
    this.#client = new Client(signal)
    this.baseline = route.baseline
  }

  get response(): Promise<Response> {
    return this.#client.response
  }

  get isOver(): boolean {
    return this.#client.isOver
  }

  get canStandIn(): boolean {
    return this.#route.standIn !== undefined
  }

  answer(stored: StoredResponse, fields: FieldBlock): void {
    this.#answerWith(() => responseOf(replyFrom(this.#narrowing, stored, this.#besideOuter(stored, fields))))
  }

  refuse(status: number, cacheStatus: string, retryAfter?: number): void {
    const wait = retryAfter === undefined ? [] : ['Retry-After', String(retryAfter)]
    const fields = this.#route.besideOuter([], [], ['Cache-Status', cacheStatus, ...wait])
    this.#answerWith(() => responseOf({ status, message: '', fields, body: undefined }))
  }

  follow(head: FollowedHead, listener: OutletListener): Outlet {
    const hasReader = !this.isOver && mayHaveBody(head.status) && !this.#narrowing.isHead
    const outlet = hasReader ? new BodyStream(listener) : new NoBody(listener)
    if (this.isOver) {
      outlet.end()
      return outlet
    }
    this.#client.whenGone((reason) => outlet.fail(reason))
    this.#answerWith(() => {
      const headers = headersInit(this.#besideOuter(head, head.block))
      return new Response(outlet.stream, { status: head.status, statusText: head.message, headers })
    })
    return outlet
  }

  open(observer: SourceObserver, terms: SourceTerms): Source {
    const run: FetchCall['run'] = (asked) => this.#route.run(asked)
    const { standIn = run } = this.#route
    const call = {
      ...{ narrowing: this.#narrowing, waitUntil: this.#waitUntil },
      asker: terms.isStandIn ? NOBODY : this.#client,
      run: terms.isStandIn ? standIn : run,
      within: (action: () => void) => this.#within(action),
      besideOuter: (stored: StoredResponse, fields: FieldBlock) => this.#besideOuter(stored, fields),
    }
    return new FetchRun(call, observer, terms)
  }

  runAlone(label: (head: ResponseHead) => string): void {
    const answer = async (): Promise<Response> => {
      const response: unknown = await this.#route.run()
      checkResponse(response)
      return relabelled(response, [['Cache-Status', label(headOf(response))]])
    }
    this.#within(() => {
      answer().then(
        (response) => this.#client.answer(response),
        (error: unknown) => this.#client.fail(error),
      )
    })
  }

  whenFree(callback: () => void): void {
    this.#route.whenFree(callback)
  }

  #besideOuter({ joins, removed }: Pick<FollowedHead, 'joins' | 'removed'>, fields: FieldBlock): FieldBlock {
    return this.#route.besideOuter(removed, joins, fields)
  }

  /** An error here affects this client alone. */
  #answerWith(make: () => Response): void {
    if (this.isOver) return
    try {
      this.#client.answer(make())
    } catch (error) {
      this.#client.fail(error)
    }
  }

  /** In the request's own asynchronous context: a look-up of "the current user" must never find another request's user. */
  #within(action: () => void): void {
    this.#scope.runInAsyncScope(action)
  }
}
