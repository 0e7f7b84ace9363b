import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants } from 'node:http2'

import type { NarrowingRequest } from '../answer/narrowed.ts'
import type { ResponseHead, Source, SourceObserver, SourceTerms } from '../fill/source.ts'
import type { Baseline, FieldBlock } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'
import type { Connection } from './connection.ts'
import { readHead } from './head-of.ts'
import { Recording } from './recording.ts'
import { replyOn, setHead } from './send.ts'
import { dropSocket } from './socket-watch.ts'
import { shieldFor } from './stream-shield.ts'
import { asWholeRequest } from './whole-request.ts'
import { warn } from '../warn.ts'

/** Takes an error of the handler. `goOn` passes it to where it would have gone without us. */
export type OnError = (error: unknown, goOn: () => void) => void

/** A request, the response that its handler writes to, and how the handler is called. */
export interface HandlerCall {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly request: NarrowingRequest
  readonly baseline: Baseline
  readonly connection: Connection
  run(res: ServerResponse, onError: OnError): void
}

/** A run of the handler on a Node response, which is recorded. */
export class HandlerRun implements Source {
  readonly #call: HandlerCall
  readonly #observer: SourceObserver
  readonly #recording: Recording
  readonly #shield: { readonly clientLeft: boolean; lower(): void } | undefined
  readonly #restoreRequest: () => void

  constructor(call: HandlerCall, observer: SourceObserver, terms: SourceTerms) {
    const { req, res, connection } = call
    this.#call = call
    this.#observer = observer
    this.#restoreRequest = asWholeRequest(req, terms)
    this.#recording = new Recording(res, observer)
    if (terms.outlivesClient) {
      const onCut = (): void => observer.onCut(undefined)
      this.#shield = shieldFor(req, res, this.#recording, connection, onCut)
    }
    if (this.#shield === undefined) {
      res.once('close', () => {
        if (!this.#recording.ended) observer.onCut(undefined)
      })
    }
  }

  start(): void {
    try {
      this.#call.run(this.#call.res, (error, goOn) => this.#observer.onError(error, goOn))
    } catch (error) {
      this.#observer.onCut(error)
      // If no framework caught it, it must end the process as it would without us, not as a rejection of ours.
      process.nextTick(() => {
        throw error
      })
    }
  }

  get headSent(): boolean {
    return this.#recording.headSent
  }

  get isHolding(): boolean {
    return this.#recording.isHolding
  }

  get hasOuterLayers(): boolean {
    return this.#recording.hasOuterLayers
  }

  setField(name: string, value: string): void {
    const { res } = this.#call
    if (name !== 'Date' || res.sendDate) res.setHeader(name, value)
  }

  hold(): void {
    this.#recording.hold()
  }

  sendHeld(): void {
    this.#guarded(() => this.#recording.sendHeld())
  }

  answerInstead(response: StoredResponse, fields: FieldBlock): ResponseHead {
    const { res, request, baseline } = this.#call
    this.#restoreRequest()
    this.#guarded(() => {
      this.#recording.clear(baseline)
      const { status, message, fields: own, body } = replyOn(res, request, response, fields)
      setHead(res, status, message, own)
      this.#recording.finish(body)
    })
    return readHead(res)
  }

  resume(): void {
    this.#recording.resume()
  }

  dropClient(): void {
    const { req, res } = this.#call
    const { stream } = res as { stream?: { close(code: number): void } }
    if (this.#shield?.clientLeft === true) return
    if (stream === undefined) dropSocket(req.socket)
    else stream.close(constants.NGHTTP2_CANCEL)
  }

  stop(): void {
    this.#guarded(() => this.#recording.stop())
  }

  restore(): void {
    this.#shield?.lower()
    this.#restoreRequest()
  }

  /** For answers that the handler does not send: an error that an outer layer throws affects this client alone. */
  #guarded(action: () => void): void {
    try {
      action()
    } catch (error) {
      warn(error)
      this.dropClient()
    }
  }
}
