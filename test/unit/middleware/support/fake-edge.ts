import { type NarrowingRequest, selectionOf } from '../../../../src/middleware/answer/narrowed.ts'
import type { FollowedHead, Outlet, OutletListener } from '../../../../src/middleware/fill/sink.ts'
import type {
  HeadDecision,
  ResponseHead,
  Source,
  SourceObserver,
  SourceTerms,
} from '../../../../src/middleware/fill/source.ts'
import type { Edge } from '../../../../src/middleware/flights/edge.ts'
import type { Baseline, FieldBlock, FlatFields } from '../../../../src/middleware/rules/fields.ts'
import type { StoredResponse } from '../../../../src/middleware/stored/stored-response.ts'

/** A client that keeps what it gets. */
export class FakeClient {
  status: number | undefined
  /** By lower-case name. */
  fields: Readonly<Record<string, string>> = {}
  body = ''
  state: 'waiting' | 'reading' | 'ended' | 'cut' | 'gone' = 'waiting'
  flushes = 0
  /** It takes nothing more until `drain`. */
  isFull = false
  /** Whatever is done for it fails, as in a layer outside. */
  fails = false
  #listener: OutletListener = { onDrain: () => {}, onClose: () => {} }

  get isOver(): boolean {
    return this.state !== 'waiting' && this.state !== 'reading'
  }

  listen(listener: OutletListener): void {
    this.#listener = listener
  }

  begin(status: number, block: FieldBlock): void {
    this.#act(() => {
      this.state = 'reading'
      this.status = status
      this.fields = byName(block)
    })
  }

  write(chunk: Buffer): boolean {
    if (this.isOver) return true
    this.#act(() => (this.body += chunk.toString()))
    return this.isOver || !this.isFull
  }

  flush(): void {
    this.#act(() => this.flushes++)
  }

  end(last?: Buffer): void {
    this.#act(() => {
      this.body += last?.toString() ?? ''
      this.state = 'ended'
      this.#closeLater()
    })
  }

  /** Unlike the others, it comes through even after the end: a connection that is closed loses what is on its way. */
  cut(): void {
    if (this.state === 'cut' || this.state === 'gone') return
    this.state = 'cut'
    this.#closeLater()
  }

  leave(): void {
    this.state = 'gone'
    this.#listener.onClose()
  }

  drain(): void {
    this.isFull = false
    this.#listener.onDrain()
  }

  /** It has taken what it had, and the next piece will fill it again. */
  takeSome(): void {
    this.#listener.onDrain()
  }

  #act(action: () => void): void {
    if (this.isOver) return
    if (this.fails) this.cut()
    else action()
  }

  #closeLater(): void {
    queueMicrotask(() => this.#listener.onClose())
  }
}

/** A run whose handler is the test: it gives a head, pieces and an end, as Node's recording would pass them on. */
export class FakeRun implements Source {
  /** Of a stand-in: nobody. */
  readonly client: FakeClient
  readonly terms: SourceTerms
  readonly #observer: SourceObserver
  readonly #request: NarrowingRequest
  readonly #outerFields: FlatFields
  /** `narrowed`: the client gets a part; `answered`: what the handler writes goes nowhere; `off`: nobody listens. */
  #state: 'before' | 'sending' | 'holding' | 'narrowed' | 'answered' | 'off' = 'before'
  #head: ResponseHead | undefined
  #ownFields: FlatFields = []
  #held: Buffer[] = []
  #isAnnouncing = false
  #mayStop = false
  #isPaused = false
  #ended = false
  starts = 0
  resumes = 0
  restores = 0
  decision: HeadDecision | undefined
  /** What the handler's error was passed on as. */
  passedOn: unknown

  constructor(
    observer: SourceObserver,
    terms: SourceTerms,
    about: { client: FakeClient; request: NarrowingRequest; outerFields: FlatFields },
  ) {
    this.#observer = observer
    this.#request = about.request
    this.#outerFields = about.outerFields
    this.terms = terms
    this.client = terms.isStandIn ? new FakeClient() : about.client
    this.client.listen({
      onDrain: () => observer.onDrain(),
      onClose: () => {
        if (terms.outlivesClient) observer.onDrain()
        else if (!this.#ended) observer.onCut(undefined)
      },
    })
  }

  head(fields: Readonly<Record<string, string>> = {}, status = 200, message = 'OK'): void {
    this.#head = { status, message, fields: Object.entries(fields).flat() }
    this.#isAnnouncing = true
    const decision = this.#observer.onHead(this.#head)
    this.#isAnnouncing = false
    this.decision = decision
    if (typeof decision === 'object') this.#narrow(decision)
    else if (this.#mayStop) this.stop()
    else this.#state = decision === 'hold' ? 'holding' : 'sending'
    if (this.headSent && this.#state !== 'answered') this.#sendHead()
  }

  /** Whether the handler may write on. */
  chunk(text: string): boolean {
    const chunk = Buffer.from(text)
    switch (this.#state) {
      case 'sending': {
        const taken = this.client.write(chunk)
        const mayGoOn = this.#observer.onChunk(chunk, taken)
        this.#isPaused = !mayGoOn && !this.isOff
        return mayGoOn
      }
      case 'holding':
        this.#observer.onChunk(chunk, true)
        if (this.isHolding) this.#held.push(chunk)
        else if (!this.#isAnswered) this.client.write(chunk)
        return true
      case 'narrowed':
      case 'answered':
        return true
      default:
        return this.client.write(chunk)
    }
  }

  flush(): void {
    if (this.#state === 'sending') {
      this.client.flush()
      this.#observer.onFlush()
    }
  }

  end(text?: string): void {
    const last = text === undefined ? undefined : Buffer.from(text)
    this.#ended = true
    if (this.#state === 'sending' || this.#state === 'off') this.client.end(last)
    if (this.#state === 'holding' && last !== undefined) this.#held.push(last)
    if (this.#state === 'sending' || this.#state === 'holding') this.#observer.onEnd(last)
  }

  /** The handler gives up its response. */
  cut(reason?: unknown): void {
    if (!this.#ended && !this.isOff && !this.#isAnswered) this.#observer.onCut(reason)
    this.client.cut()
  }

  /** The handler calls `next` with an error. */
  error(error: unknown): void {
    this.#observer.onError(error, () => (this.passedOn = error))
  }

  get isOff(): boolean {
    return this.#state === 'off'
  }

  get headSeen(): boolean {
    return this.#head !== undefined
  }

  get headSent(): boolean {
    return this.#state !== 'before' && this.#state !== 'holding'
  }

  get isHolding(): boolean {
    return this.#state === 'holding'
  }

  get hasOuterLayers(): boolean {
    return this.#outerFields.length > 0
  }

  start(): void {
    this.starts++
  }

  setField(name: string, value: string): void {
    this.#ownFields = [...this.#ownFields, name, value]
  }

  hold(): void {
    if (this.#state === 'before') this.#state = 'holding'
  }

  sendHeld(): void {
    if (this.#state !== 'holding') return
    this.#state = 'sending'
    this.#sendHead()
    for (const chunk of this.#held.splice(0)) this.client.write(chunk)
    if (this.#ended) this.client.end()
  }

  answerInstead(response: StoredResponse, fields: FieldBlock): ResponseHead {
    this.#state = 'answered'
    this.#held = []
    answer(this.client, this.#request, response, fields)
    const flat = Object.entries(this.client.fields).flat()
    return { status: this.client.status ?? 0, message: '', fields: [...flat, ...this.#outerFields] }
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.resumes++
  }

  dropClient(): void {
    this.client.cut()
  }

  stop(): void {
    this.#mayStop = true
    if (this.#isAnnouncing) return
    if (this.#state === 'holding' && this.headSeen) this.sendHeld()
    if (this.#state === 'answered' || this.#state === 'narrowed') return
    this.#state = 'off'
    this.resume()
  }

  restore(): void {
    this.restores++
  }

  get #isAnswered(): boolean {
    return this.#state === 'answered' || this.#state === 'narrowed'
  }

  #sendHead(): void {
    const head = this.#head as ResponseHead
    const fields = [...head.fields, ...this.#ownFields, ...this.#outerFields]
    this.client.begin(head.status, fields)
    if (this.#state === 'sending' && this.decision !== 'hold') this.#observer.onHeadSent({ ...head, fields })
  }

  #narrow(narrowed: Exclude<HeadDecision, string>): void {
    if (narrowed.kind === 'not-modified') {
      this.#state = 'answered'
      this.client.begin(304, this.#ownFields as string[])
      this.client.end()
    } else {
      const { start, end, size } = narrowed
      this.#state = 'narrowed'
      this.#ownFields = [...this.#ownFields, 'Content-Range', `bytes ${start}-${end}/${size}`]
      this.#head = { status: 206, message: '', fields: [] }
    }
  }
}

/** Requests and their answers without a server. */
export class FakeEdge implements Edge {
  readonly baseline: Baseline
  readonly client = new FakeClient()
  readonly request: NarrowingRequest
  /** The runs of its handler that are recorded. */
  readonly runs: FakeRun[] = []
  /** Fields that layers outside put on every response. */
  outerFields: FlatFields = []
  canStandIn = true
  /** Set once its handler runs for it alone: gives the head, and returns the Cache-Status that it gets. */
  headAlone: ((head: ResponseHead) => string) | undefined
  /** Thrown by `open`. */
  isForeign = false
  #onFree: (() => void) | undefined

  constructor(request: NarrowingRequest, baseline: Baseline) {
    this.request = request
    this.baseline = baseline
  }

  get isOver(): boolean {
    return this.client.state !== 'waiting'
  }

  get run(): FakeRun {
    const run = this.runs.at(-1)
    if (run === undefined) throw new Error('no run has begun')
    return run
  }

  answer(stored: StoredResponse, fields: FieldBlock): void {
    if (!this.isOver) answer(this.client, this.request, stored, fields)
  }

  refuse(status: number, cacheStatus: string): void {
    if (this.isOver) return
    this.client.begin(status, ['Cache-Status', cacheStatus])
    this.client.end()
  }

  follow({ status, block }: FollowedHead, listener: OutletListener): Outlet {
    const { client } = this
    client.listen(listener)
    client.begin(status, block)
    return client
  }

  open(observer: SourceObserver, terms: SourceTerms): Source {
    if (this.isForeign) throw new Error('a response of a kind that is not understood')
    const { client, request, outerFields } = this
    const run = new FakeRun(observer, terms, { client, request, outerFields })
    this.runs.push(run)
    return run
  }

  runAlone(label: (head: ResponseHead) => string): void {
    this.headAlone = label
  }

  whenFree(callback: () => void): void {
    this.#onFree = callback
  }

  /** Its response is sent and closed. */
  becomeFree(): void {
    this.#onFree?.()
  }
}

function answer(client: FakeClient, request: NarrowingRequest, stored: StoredResponse, fields: FieldBlock): void {
  const { status, body } = stored
  const selection =
    status === 200 && request.narrowed ? selectionOf(request, stored, body.length) : ({ kind: 'whole' } as const)
  if (selection.kind === 'not-modified') client.begin(304, fields)
  else if (selection.kind === 'part') {
    const { start, end, size } = selection
    client.begin(206, [...fields, 'Content-Range', `bytes ${start}-${end}/${size}`])
    client.write(body.subarray(start, end + 1))
  } else {
    client.begin(selection.kind === 'whole' ? status : 416, fields)
    if (!request.isHead) client.write(body)
  }
  client.end()
}

/** Of two lines with one name the later one counts, as with `setHeader`. */
function byName(block: FieldBlock): Record<string, string> {
  const fields: Record<string, string> = {}
  for (let index = 0; index + 1 < block.length; index += 2) {
    fields[String(block[index]).toLowerCase()] = String(block[index + 1])
  }
  return fields
}
