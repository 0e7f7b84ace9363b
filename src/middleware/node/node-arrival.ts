import type { IncomingMessage, ServerResponse } from 'node:http'

import type { NarrowingRequest } from '../answer/narrowed.ts'
import type { Arrival, Passing } from '../reception.ts'
import { FieldMap } from '../rules/fields.ts'
import type { FieldBlock } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'
import type { WaitUntil } from '../wait-until.ts'
import { NodeEdge, type RunHandler } from './node-edge.ts'
import type { NodeRequest } from './node-request.ts'
import { Recording, UNHEARD } from './recording.ts'
import { replyOn, send } from './send.ts'

interface ArrivalParts {
  request: NodeRequest
  res: ServerResponse
  /** Only with `wrap`: the handler can be called with another response. */
  isDetachable: boolean
  run: RunHandler
  waitUntil: WaitUntil | undefined
}

/** A request of node:http or node:http2 that has just come in, and its response. */
export class NodeArrival implements Arrival<IncomingMessage> {
  readonly request: NodeRequest
  readonly waitUntil: WaitUntil | undefined
  readonly #res: ServerResponse
  readonly #isDetachable: boolean
  readonly #run: RunHandler

  constructor({ request, res, isDetachable, run, waitUntil }: ArrivalParts) {
    this.request = request
    this.waitUntil = waitUntil
    this.#res = res
    this.#isDetachable = isDetachable
    this.#run = run
  }

  get isAnswered(): boolean {
    return this.#res.headersSent
  }

  answer(narrowing: NarrowingRequest, stored: StoredResponse, fields: FieldBlock): void {
    send(this.#res, replyOn(this.#res, narrowing, stored, fields))
  }

  pass({ label, onAnswer }: Passing): void {
    const req = this.request.native
    const res = this.#res
    if (onAnswer !== undefined) {
      const recording: Recording = new Recording(res, {
        onHead({ status, fields: flat }) {
          const fields = new FieldMap(flat)
          res.setHeader('Cache-Status', label(fields.get('cache-status'), status))
          recording.stop()
          onAnswer(status, fields)
          return 'send'
        },
        onCut: () => recording.stop(),
        ...UNHEARD,
      })
    } else if (!res.headersSent && req.headers.upgrade === undefined && !res.hasHeader('Cache-Status')) {
      res.setHeader('Cache-Status', label(undefined))
    }
    this.#run(req, res, (_error, goOn) => goOn())
  }

  edge(narrowing: NarrowingRequest): NodeEdge {
    const { native: req } = this.request
    return new NodeEdge({ req, res: this.#res, request: narrowing, detachable: this.#isDetachable, run: this.#run })
  }
}
