import type { IncomingMessage, ServerResponse } from 'node:http'

import type { NarrowingRequest } from '../answer/narrowed.ts'
import { FetchEdge } from '../fetch/fetch-edge.ts'
import { readHead } from '../node/head-of.ts'
import type { NodeRequest } from '../node/node-request.ts'
import { replyOn } from '../node/send.ts'
import type { Arrival, Passing } from '../reception.ts'
import { type FieldBlock, FieldMap } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'
import type { WaitUntil } from '../wait-until.ts'
import { answerMade, answerStored } from './answer-on.ts'
import { isWritten, type KoaContext, type KoaNext } from './koa-context.ts'
import { KoaRoute } from './koa-route.ts'

interface ArrivalParts {
  request: NodeRequest
  context: KoaContext
  next: KoaNext
  waitUntil: WaitUntil | undefined
}

/** A request that has just come to Koa, and its context. */
export class KoaArrival implements Arrival<IncomingMessage> {
  readonly request: NodeRequest
  readonly waitUntil: WaitUntil | undefined
  readonly #context: KoaContext
  readonly #next: KoaNext
  #answered: Promise<void> | undefined

  constructor({ request, context, next, waitUntil }: ArrivalParts) {
    this.request = request
    this.waitUntil = waitUntil
    this.#context = context
    this.#next = next
  }

  get isAnswered(): boolean {
    return isWritten(this.#context)
  }

  /** Resolves when the answer is on the context. Then outer layers go on. */
  get answered(): Promise<void> | undefined {
    return this.#answered
  }

  answer(narrowing: NarrowingRequest, stored: StoredResponse, fields: FieldBlock): void {
    answerStored(this.#context, replyOn(this.#context.res, narrowing, stored, fields))
  }

  pass(passing: Passing): void {
    this.#answered = this.#pass(passing)
  }

  edge(narrowing: NarrowingRequest): FetchEdge {
    const { waitUntil } = this
    const signal = endOf(this.#context.res)
    const route = new KoaRoute(this.#context, this.#next)
    const edge = new FetchEdge({ signal, narrowing, route, waitUntil })
    this.#answered = this.#take(edge.response, route, signal)
    return edge
  }

  async #pass({ label, onAnswer }: Passing): Promise<void> {
    const context = this.#context
    await this.#next()
    const { status, fields: flat } = readHead(context.res)
    const fields = new FieldMap(flat)
    onAnswer?.(status, fields)
    if (isWritten(context)) return
    context.set('Cache-Status', label(fields.get('cache-status'), onAnswer === undefined ? undefined : status))
  }

  async #take(response: Promise<Response>, route: KoaRoute, over: AbortSignal): Promise<void> {
    try {
      answerMade(this.#context, await response, route.made)
    } catch (error) {
      if (!over.aborted) throw error
      // The handler goes on with this context, for others.
      await route.whenDone()
    }
  }
}

/** A signal that is aborted when a response is over: its client has left, or has an answer from anybody. */
function endOf(res: ServerResponse): AbortSignal {
  const controller = new AbortController()
  if (res.closed) controller.abort()
  else res.once('close', () => controller.abort())
  return controller.signal
}
