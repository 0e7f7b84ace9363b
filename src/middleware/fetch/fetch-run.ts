import type { NarrowingRequest } from '../answer/narrowed.ts'
import { ABOUT_THE_BODY, partFields, replyFrom, withoutNames } from '../answer/reply.ts'
import type { OutletListener } from '../fill/sink.ts'
import type { HeadDecision, Narrowed, ResponseHead, Source, SourceObserver, SourceTerms } from '../fill/source.ts'
import { blockOf, type FieldBlock } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'
import type { WaitUntil } from '../wait-until.ts'
import { type BodyOutlet, BodyStream, NoBody } from './body-stream.ts'
import type { Asker } from './client.ts'
import { type Pieces, piecesOf } from './pieces.ts'
import { checkResponse, headersInit, headOf, mayHaveBody, relabelled, responseOf } from './responses.ts'
import type { RunTerms } from './whole-request.ts'

/** What a request asks for, who asked, and how its handler is called. */
export interface FetchCall {
  readonly narrowing: NarrowingRequest
  readonly asker: Asker
  /** Gets the promise of a run whose client has left. */
  readonly waitUntil: WaitUntil | undefined
  /** Acts in the asynchronous context of the request, whatever made the run go on. */
  within(action: () => void): void
  run(terms: RunTerms): Response | Promise<Response>
  /** The fields of a stored answer, combined with those that outer layers have set. */
  besideOuter(stored: StoredResponse, fields: FieldBlock): FieldBlock
}

/**
 * `before` the header. Then `sending` it and what follows, `holding` it back, or `narrowed`: the client gets a part.
 * `answered`: the client has its answer, and what still comes is dropped. `off`: nobody listens.
 */
type State = 'before' | 'sending' | 'holding' | 'narrowed' | 'answered' | 'off'

/** A run of a handler that answers with a `Response`. Its body is read here and passed on piece by piece. */
export class FetchRun implements Source, OutletListener {
  /** Outer layers see the response only after us. */
  readonly hasOuterLayers = false
  readonly #call: FetchCall
  readonly #observer: SourceObserver
  readonly #terms: SourceTerms
  /** Aborted once nobody needs the answer. */
  readonly #controller = new AbortController()
  /** Resolves when the run concerns only its own client. */
  readonly #over: Promise<void>
  #settleOver!: () => void
  #state: State = 'before'
  #response: Response | undefined
  #pieces: Pieces | undefined
  #outlet: BodyOutlet | undefined
  /** Header fields added to the handler's. */
  readonly #own = new Map<string, string>()
  #held: Buffer[] = []
  /** The handler has written everything, or will write nothing more. */
  #ended = false
  #clientLeft = false
  /** Set while the observer decides on the header. A `stop` in that time takes effect afterwards. */
  #isAnnouncing = false
  #mayStop = false
  /** `#isPaused`: other readers hold up the run. `#isFull`: its own client takes nothing now. */
  #isPaused = false
  #isFull = false
  #goOn: () => void = () => {}
  /** What is left of the part that the client gets. */
  #part = { skip: 0, left: 0 }

  constructor(call: FetchCall, observer: SourceObserver, terms: SourceTerms) {
    this.#call = call
    this.#observer = observer
    this.#terms = terms
    this.#over = new Promise((resolve) => (this.#settleOver = resolve))
  }

  start(): void {
    this.#call.asker.whenGone((reason) => this.#leave(reason))
    this.#call.within(() => void this.#run())
  }

  get headSent(): boolean {
    return this.#state !== 'before' && this.#state !== 'holding'
  }

  get isHolding(): boolean {
    return this.#state === 'holding'
  }

  setField(name: string, value: string): void {
    this.#own.set(name, value)
  }

  hold(): void {
    if (this.#state === 'before') this.#state = 'holding'
  }

  sendHeld(): void {
    if (this.#state !== 'holding' || this.#response === undefined) return
    this.#state = 'sending'
    const outlet = this.#begin(this.#response)
    for (const piece of this.#held.splice(0)) outlet.write(piece)
    if (this.#ended) outlet.end()
  }

  answerInstead(stored: StoredResponse, fields: FieldBlock): ResponseHead {
    const { asker, narrowing } = this.#call
    const reply = replyFrom(narrowing, stored, this.#call.besideOuter(stored, fields))
    this.#state = 'answered'
    this.#held = []
    asker.answer(responseOf(reply))
    this.#cancelUnwanted()
    return { status: reply.status, message: reply.message, fields: reply.fields.flat() }
  }

  resume(): void {
    this.#isPaused = false
    if (!this.#isFull) this.#goOn()
  }

  dropClient(): void {
    this.#outlet?.cut()
  }

  stop(): void {
    this.#mayStop = true
    if (this.#isAnnouncing) return
    this.sendHeld()
    if (this.#state === 'answered' || this.#state === 'narrowed') return
    this.#state = 'off'
    this.resume()
    this.#cancelUnwanted()
  }

  restore(): void {
    this.#settleOver()
    this.#cancelUnwanted()
  }

  /** Its own client takes more. */
  onDrain(): void {
    this.#isFull = false
    const goesOn = this.#state === 'off' || this.#state === 'narrowed' || !this.#isPaused
    this.#observer.onDrain()
    if (goesOn) this.#goOn()
  }

  /** Its own client reads no more. */
  onClose(): void {
    if (!this.#ended) this.#leave(undefined)
  }

  #leave(reason: unknown): void {
    if (this.#clientLeft) return
    this.#clientLeft = true
    this.#isFull = false
    if (this.#state === 'off') this.#controller.abort(reason)
    if (this.#ended) return
    this.#outlet?.fail(reason)
    if (this.#state === 'off') this.#cancelUnwanted()
    else if (this.#terms.outlivesClient) {
      this.#call.waitUntil?.(this.#over)
      this.onDrain()
    } else this.#observer.onCut(reason)
  }

  /** Whether nobody needs what the handler has still to write. */
  get #isUnwanted(): boolean {
    if (this.#ended) return false
    return this.#state === 'answered' || (this.#state === 'off' && (this.#clientLeft || this.#terms.isStandIn))
  }

  #cancelUnwanted(): void {
    if (!this.#isUnwanted) return
    this.#pieces?.cancel()
    this.#controller.abort()
    this.#goOn()
  }

  async #run(): Promise<void> {
    const { validate, capability, hidden } = this.#terms
    try {
      const response: unknown = await this.#call.run({ validate, capability, hidden, signal: this.#controller.signal })
      checkResponse(response)
      this.#response = response
    } catch (error) {
      this.#ended = true
      this.#observer.onError(error, () => this.#call.asker.fail(error))
      return
    }
    if (this.#announce(this.#response)) await this.#pump(this.#pieces)
  }

  /** Shows the header to the observer and acts on its decision. Returns whether the body is read here. */
  #announce(response: Response): boolean {
    const head = headOf(response)
    let decision: HeadDecision = 'send'
    if (this.#state === 'before') {
      this.#isAnnouncing = true
      decision = this.#observer.onHead(head)
      this.#isAnnouncing = false
      if (this.#mayStop && decision === 'send') this.#state = 'off'
    }
    if (this.#state === 'off') {
      this.#handOver(response)
      return false
    }
    this.#openBody(response)
    if (typeof decision === 'object') this.#narrow(decision, head)
    else if (decision === 'hold') this.#state = 'holding'
    else {
      this.#state = 'sending'
      this.#begin(response)
      this.#observer.onHeadSent(head)
    }
    return true
  }

  /** Only the run's own client is concerned. It gets the handler's own body. */
  #handOver(response: Response): void {
    this.#ended = true
    if (this.#clientLeft || this.#terms.isStandIn) response.body?.cancel().catch(() => {})
    else this.#call.asker.answer(relabelled(response, this.#own))
  }

  #openBody({ status, body }: Response): void {
    if (body === null) return
    if (mayHaveBody(status) && !this.#call.narrowing.isHead) this.#pieces = piecesOf(body)
    else body.cancel().catch(() => {})
  }

  /** Begins the client's answer. */
  #begin(response: Response): BodyOutlet {
    const hasReader = this.#pieces !== undefined && !this.#clientLeft && !this.#terms.isStandIn
    this.#outlet = hasReader ? new BodyStream(this) : new NoBody(this)
    this.#call.asker.answer(relabelled(response, this.#own, this.#outlet.stream))
    return this.#outlet
  }

  /** Gives the client what it asked for of an answer that is for it alone. */
  #narrow(narrowed: Narrowed, { fields }: ResponseHead): void {
    const { asker } = this.#call
    const own = [...this.#own].flat()
    const labelled = withoutNames(blockOf(fields), lowerCase(this.#own.keys()), ...own)
    if (narrowed.kind === 'not-modified') {
      this.#state = 'answered'
      asker.answer(new Response(null, { status: 304, headers: headersInit(withoutNames(labelled, ABOUT_THE_BODY)) }))
      return
    }
    const { start, end } = narrowed
    const outlet = new BodyStream(this)
    this.#state = 'narrowed'
    this.#outlet = outlet
    this.#part = { skip: start, left: end - start + 1 }
    asker.answer(new Response(outlet.stream, { status: 206, headers: headersInit(partFields(labelled, narrowed)) }))
  }

  async #pump(pieces: Pieces | undefined): Promise<void> {
    try {
      while (pieces !== undefined) {
        const piece = this.#isUnwanted ? undefined : await pieces.next()
        if (this.#isUnwanted) return this.#cancelUnwanted()
        if (piece === undefined) break
        if (!this.#take(piece)) await new Promise<void>((resolve) => (this.#goOn = resolve))
      }
    } catch (error) {
      this.#cut(error)
      return
    }
    this.#finish()
  }

  /** Whether the handler may go on at once. */
  #take(piece: Buffer): boolean {
    switch (this.#state) {
      case 'sending':
        return this.#send(piece)
      case 'holding':
        this.#observer.onChunk(piece, true)
        if (this.#currentState() === 'holding') this.#held.push(piece)
        else return this.#write(piece)
        return true
      case 'narrowed':
        return this.#writePart(piece)
      default:
        return this.#write(piece)
    }
  }

  #send(piece: Buffer): boolean {
    const mayGoOn = this.#observer.onChunk(piece, this.#write(piece))
    if (this.#currentState() === 'off') return !this.#isFull
    this.#isPaused = !mayGoOn
    return mayGoOn
  }

  /** Whether its own client takes more. */
  #write(piece: Buffer): boolean {
    this.#isFull = this.#outlet?.write(piece) === false
    return !this.#isFull
  }

  /** Writes the bytes of a piece that belong to the client's part. The answer ends with the last of them. */
  #writePart(piece: Buffer): boolean {
    const { skip, left } = this.#part
    const bytes = piece.subarray(Math.min(skip, piece.length), skip + left)
    this.#part = { skip: Math.max(0, skip - piece.length), left: left - bytes.length }
    if (this.#part.left > 0) return this.#write(bytes)
    this.#state = 'answered'
    this.#outlet?.end(bytes)
    return true
  }

  #finish(): void {
    this.#ended = true
    if (this.#state !== 'holding') this.#outlet?.end()
    if (this.#state === 'sending' || this.#state === 'holding') this.#observer.onEnd()
  }

  #cut(error: unknown): void {
    if (this.#state === 'sending' || this.#state === 'holding') this.#observer.onCut(error)
    this.#ended = true
    this.#outlet?.fail(error)
  }

  /** Reads the state where a call in between may have changed it. */
  #currentState(): State {
    return this.#state
  }
}

function lowerCase(names: Iterable<string>): Set<string> {
  return new Set([...names].map((name) => name.toLowerCase()))
}
