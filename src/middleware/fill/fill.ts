import { LoadTimeoutError, LockLostError } from '../../errors.ts'
import { narrowedAnswer } from '../answer/narrowed.ts'
import type { Exchange } from '../flights/exchange.ts'
import { hiddenFields } from '../request/narrowing.ts'
import { cacheStatusForward } from '../rules/cache-status.ts'
import { decide, whyRefused } from '../rules/decision.ts'
import { FieldMap } from '../rules/fields.ts'
import { formatHttpDate } from '../rules/http-date.ts'
import { type KeptFor, keptFor } from '../rules/kept-for.ts'
import { ONLY_NOW, type Shared } from '../rules/storable.ts'
import { capabilityOf } from '../rules/targeted-fields.ts'
import { tagsOf } from '../stored/groups.ts'
import { freshen } from '../stored/freshen.ts'
import { headOfWhole, responseOf, type StorableHead, storableHead } from '../stored/response-head.ts'
import { StoredResponse } from '../stored/stored-response.ts'
import { Audience } from './audience.ts'
import { StallWatch } from './stall-watch.ts'
import { FillFailedError } from './fill-failed-error.ts'
import type { FillContext, FillHost, FillParts, FillSurroundings } from './fill-parts.ts'
import type { Outlet, OutletListener } from './sink.ts'
import type { HeadDecision, ResponseHead, Source, SourceObserver } from './source.ts'

/**
 * `before` the head. The decision at the head leads on: `validating` what is stored; `falling-back` on a stale response,
 * if the cache agrees; `recording` the body, and `sharing` it once others are let in. When the body is too large or too
 * slow to be kept, `passing` it on to the followers that have begun. `over`: only the client is still concerned.
 */
type Phase = 'before' | 'validating' | 'falling-back' | 'recording' | 'sharing' | 'passing' | 'over'

/** One run of the handler. Its answer is recorded for others: for requests that wait now, and for later ones. */
export class Fill implements SourceObserver {
  readonly exchange: Exchange
  /** The response to store; undefined if it may not be shared. Rejects if it never came whole. */
  readonly result: Promise<StoredResponse | undefined>
  /** Set when the header is known to be shareable. */
  verdict: Shared | undefined
  /** How long the cache keeps the response. Set with the verdict. */
  keptFor: KeptFor | undefined
  /** The handler's 304 was not about the stored response, which must go. */
  disownsStored = false
  readonly #context: FillContext
  readonly #about: FillSurroundings
  readonly #host: FillHost
  readonly #source: Source
  readonly #audience: Audience
  readonly #stall: StallWatch
  /** The stored response that is being validated, or that may be sent if the handler fails. */
  readonly #stale: StoredResponse | undefined
  readonly #hasClient: boolean
  readonly #forOthers: boolean
  #resolve!: (response: StoredResponse | undefined) => void
  #reject!: (reason: unknown) => void
  #phase: Phase = 'before'
  /** The handler's header as it gave it, and as it is stored and followed. */
  #head: ResponseHead | undefined
  #stored: (StorableHead & ResponseHead) | undefined
  #respondedAt = 0
  /** Bytes of the body so far, and how many of them count against the budget. */
  #bytes = 0
  #held = 0
  #goOn: () => void = () => {}

  /** @throws where the exchange's edge does not understand its request or response */
  constructor({ exchange, hasClient, forOthers, context, host }: FillParts, about: FillSurroundings) {
    this.exchange = exchange
    this.#context = context
    this.#about = about
    this.#host = host
    this.#hasClient = hasClient
    this.#forOthers = forOthers
    const { stale } = context
    this.#stale = stale instanceof StoredResponse && stale.isSelectedBy(exchange.headers) ? stale : undefined
    if (this.#stale !== undefined) exchange.reason = 'stale'
    this.result = new Promise((...settle) => ([this.#resolve, this.#reject] = settle))
    // Followers and the flight learn of a failure in their own ways.
    this.result.catch(() => {})
    this.#source = exchange.edge.open(this, {
      validate: this.#stale,
      capability: capabilityOf(about.rules),
      hidden: hiddenFields(about.rules),
      outlivesClient: hasClient && forOthers,
      isStandIn: !hasClient,
    })
    this.#audience = new Audience(
      { cut: () => this.#source.dropClient() },
      {
        clock: about.clock,
        stallTimeout: about.rules.stallTimeout,
        onReady: () => this.#resume(),
        onAllGone: () => {
          if (this.#phase === 'passing') this.#leaveToClient()
        },
      },
    )
    const { clock, loadTimeout } = about
    this.#stall = new StallWatch(clock, loadTimeout, {
      isExcused: () => this.#audience.isHeldUp,
      onStall: () => this.fail(new FillFailedError(`the handler wrote nothing for ${loadTimeout} ms`)),
    })
    context.signal.addEventListener('abort', () => this.#onAbort(), { once: true })
  }

  start(): void {
    this.#source.start()
  }

  /** Gives an exchange the answer as it comes. False: the answer is not shared now. */
  follow(exchange: Exchange): boolean {
    const [head, verdict] = [this.#stored, this.verdict]
    if (head === undefined || verdict === undefined || this.#phase !== 'sharing') return false
    if (exchange.narrowed && !exchange.isHead) {
      this.#audience.admitAtEnd(exchange)
      return true
    }
    const age = verdict.lifetime.age + Math.max(0, this.#about.clock.wallNow() - this.#respondedAt)
    this.#audience.admit(exchange, head, age)
    return true
  }

  /** The answer without its body, as it is stored; `undefined` unless others may have all of it as it comes. */
  describeHead(): StoredResponse | undefined {
    if (this.#phase !== 'sharing' || this.verdict === undefined || this.#stored === undefined) return undefined
    return this.#response(this.verdict, this.#stored, Buffer.alloc(0))
  }

  /** Gives the body as it comes to something that is no client. Call it only if `describeHead` returns a head. */
  admitOutlet(open: (listener: OutletListener) => Outlet): void {
    this.#audience.admitOutlet(open)
  }

  onHead(head: ResponseHead): HeadDecision {
    this.#head = head
    this.#respondedAt = this.#about.clock.wallNow()
    this.#stall.noteByte()
    const { exchange } = this
    const decision = decide(head, {
      asked: exchange.asked,
      isHead: exchange.isHead,
      policy: exchange.policy,
      validates: this.#stale !== undefined,
      canFallBack: this.#canFallBack(),
      maxBodyBytes: this.#about.rules.maxBodyBytes,
      roomLeft: this.#about.budget.left,
      at: this.#respondedAt,
    })
    switch (decision.act) {
      case 'validate':
        this.#phase = 'validating'
        return 'hold'
      case 'fall-back':
        this.#reject(new FillFailedError(decision.reason))
        if (this.#hasClient) {
          this.#phase = 'falling-back'
          return 'hold'
        }
        this.#leaveToClient()
        return 'send'
      case 'refuse': {
        const narrowed = this.#hasClient ? narrowedAnswer(exchange, head, this.#respondedAt) : undefined
        this.#label({ detail: decision.reason })
        if (decision.lasting) this.#goUnshared(true, decision.reason)
        else this.#goAlone(head, decision.reason)
        return narrowed ?? 'send'
      }
      case 'share':
        return this.#record(head, decision.verdict)
    }
  }

  /** Outer layers may have changed the header: a session may set its cookie, a guard may forbid storing. */
  onHeadSent(head: ResponseHead): void {
    if (this.#phase !== 'recording') return
    if (whyRefused(head, this.exchange, this.#respondedAt) === undefined) this.#share()
    else this.#goUnshared(true)
  }

  onChunk(chunk: Buffer, taken: boolean): boolean {
    this.#take(chunk, false)
    if (this.#isKept || this.#phase === 'falling-back') return true
    if (this.#phase === 'passing') this.#audience.clientIs(!taken)
    return taken && !this.#audience.isHeldUp
  }

  #take(chunk: Buffer, isLast: boolean): void {
    this.#stall.noteByte()
    this.#bytes += chunk.length
    if (this.#phase === 'falling-back') {
      if (this.#bytes > this.#about.rules.maxBodyBytes) this.giveHandlersAnswer()
      return
    }
    if (this.#isKept) {
      if (this.#bytes > this.#about.rules.maxBodyBytes) this.#outgrow('too-large')
      else if (this.#about.budget.take(chunk.length)) this.#held += chunk.length
      else this.#outgrow('fills-full')
    }
    if (this.#isKept || this.#phase === 'passing') this.#audience.write(chunk, isLast)
  }

  onFlush(): void {
    this.#audience.flush()
  }

  onDrain(): void {
    this.#audience.clientIs(false)
  }

  onEnd(last?: Buffer): void {
    if (last !== undefined) this.#take(last, true)
    if (this.#phase === 'validating') this.#freshen()
    else if (this.#isKept) this.#complete()
    else if (this.#phase === 'passing') {
      this.#audience.end()
      this.#end()
    }
  }

  onCut(reason: unknown): void {
    if (this.#phase !== 'over') this.fail(reason ?? new FillFailedError('the handler gave up its response'))
  }

  /** The handler passed an error on. `goOn` passes it further, unless a stale response can replace the handler's. */
  onError(error: unknown, goOn: () => void): void {
    this.#respondedAt = this.#about.clock.wallNow()
    if (this.#phase !== 'before' || !this.#hasClient || !this.#canFallBack()) {
      if (this.#phase !== 'over') this.fail(error)
      goOn()
      return
    }
    this.#phase = 'falling-back'
    this.#goOn = goOn
    this.#source.hold()
    this.#reject(error)
  }

  /** The stale response goes to the client whose handler failed. */
  answerWith(stored: StoredResponse): void {
    if (this.#phase !== 'falling-back') return
    this.#source.answerInstead(stored, stored.hitFields(this.#about.clock.wallNow()))
    this.#end()
  }

  /** There is no stale response either: the handler's answer goes out after all. */
  giveHandlersAnswer(): void {
    if (this.#phase !== 'falling-back') return
    this.#label()
    this.#leaveToClient()
    this.#goOn()
  }

  fail(reason: unknown): void {
    this.#label()
    this.#reject(reason)
    this.#audience.cut()
    this.#leaveToClient()
  }

  /** Takes the requests that get their answer only at the end, and have not begun. */
  takeUnbegun(): Exchange[] {
    return this.#audience.takeUnbegun()
  }

  get #isKept(): boolean {
    return this.#phase === 'recording' || this.#phase === 'sharing'
  }

  #record(head: ResponseHead, verdict: Shared): HeadDecision {
    const { exchange } = this
    const fields = new FieldMap(head.fields)
    this.#phase = 'recording'
    this.verdict = verdict
    this.#stored = { ...head, ...storableHead(head, fields, verdict.withheld, exchange.baseline, this.#respondedAt) }
    this.#announceLifetime(verdict, fields)
    if (verdict.mustValidate) this.#letOthersGo()
    if (this.#hasClient && exchange.narrowed && head.status === 200) {
      // What outer layers add is known only when this client gets its answer, at the end.
      if (!this.#source.hasOuterLayers) this.#share()
      return 'hold'
    }
    this.#label({ stored: this.#forOthers || verdict.mustValidate })
    return 'send'
  }

  /** The answer is for later requests alone. Each of them asks its handler whether the answer is still good. */
  #letOthersGo(): void {
    this.#context.doNotShare()
    this.#host.onUnshared(false)
  }

  #share(): void {
    if (this.verdict?.mustValidate) return
    this.#phase = 'sharing'
    this.#host.onShare()
  }

  /** Whether a stale response may replace a failure, or was already sent and may be sent for some time. */
  #canFallBack(): boolean {
    return this.#stale?.mayReplaceFailure(this.#respondedAt, !this.#hasClient) === true
  }

  /** An error about this request alone. The others go on alone, and the error is not remembered. */
  #goAlone({ status }: ResponseHead, reason: string): void {
    this.#host.onUnshared(false, reason)
    this.#reject(new FillFailedError(`the handler answered ${status}`))
    this.#leaveToClient()
  }

  #goUnshared(lasting: boolean, reason?: string): void {
    this.verdict = undefined
    this.#context.doNotShare()
    this.#resolve(undefined)
    this.#leaveToClient()
    this.#host.onUnshared(lasting, reason)
  }

  /** The body is not kept any more. Followers that have begun go on, at the pace of the slowest reader. */
  #outgrow(reason: 'too-large' | 'too-slow' | 'fills-full' | 'closed'): void {
    this.#phase = 'passing'
    this.#audience.stopKeeping()
    this.#giveBack()
    this.#context.doNotShare()
    this.#resolve(undefined)
    this.#label()
    this.#source.sendHeld()
    if (this.#audience.isEmpty) this.#leaveToClient()
    else this.#stall.watch()
    this.#host.onUnshared(reason.startsWith('too-'), reason)
  }

  #resume(): void {
    this.#stall.noteByte()
    this.#source.resume()
  }

  #complete(): void {
    const { verdict } = this
    const head = this.#stored
    if (verdict === undefined || head === undefined) return
    const whole = headOfWhole(head, this.exchange.isHead, this.#bytes)
    if (typeof whole === 'string') this.fail(new FillFailedError(whole))
    else this.#deliver(this.#response(verdict, whole, this.#audience.body()))
  }

  /** The stored response is still good: it gets the new fields and a new life. */
  #freshen(): void {
    const stale = this.#stale
    const update = this.#head
    if (stale === undefined || update === undefined) return
    const freshened = freshen(stale, update, this.exchange, this.#respondedAt)
    switch (freshened.kind) {
      case 'about-another':
        this.disownsStored = true
        this.#answerHeld(this.#response(ONLY_NOW, freshened.head, stale.body), 'other-validator')
        return this.#goUnshared(false, 'other-validator')
      case 'not-for-others':
        this.#answerHeld(this.#response(ONLY_NOW, freshened.head, stale.body), freshened.reason)
        return this.#goUnshared(freshened.lasting, freshened.reason)
      case 'good': {
        const { verdict, judged, head, kept } = freshened
        this.verdict = verdict
        this.#announceLifetime(verdict, judged)
        if (verdict.mustValidate) this.#letOthersGo()
        this.#deliver(this.#response(verdict, kept, stale.body), this.#response(verdict, head, stale.body))
      }
    }
  }

  #response(verdict: Shared, head: StorableHead & ResponseHead, body: Buffer): StoredResponse {
    return responseOf(head, body, verdict, this.exchange.headers, this.#respondedAt)
  }

  /** `forClient` also has what is for this run's client alone. */
  #deliver(response: StoredResponse, forClient = response): void {
    this.#audience.end()
    const refusal = this.#answerHeld(forClient)
    if (refusal !== undefined) return this.#goUnshared(true, refusal)
    const now = this.#about.clock.wallNow()
    for (const exchange of this.takeUnbegun()) {
      const forwarded = { reason: exchange.reason, status: response.status, collapsed: true }
      exchange.edge.answer(response, response.forwardedFields(now, forwarded))
    }
    this.#resolve(response)
    // A 304 to a run without a client was for us alone. Its response must still end.
    if (this.#source.isHolding) this.#leaveToClient()
    else this.#end()
  }

  /**
   * The leader's client asked for less than all, or a 304 was meant for us. It gets its answer from the whole response.
   * Returns why nobody else may have the response, if outer layers forbid it. `detail`: a reason that is already known.
   */
  #answerHeld(response: StoredResponse, detail?: string): string | undefined {
    if (!this.#hasClient || !this.#source.isHolding) return undefined
    const status = this.#head?.status
    const stored = detail === undefined && (this.#forOthers || response.mustValidate)
    const said = { ...(status !== undefined && { status }), ...(detail !== undefined && { detail }) }
    const forwarded = { reason: this.exchange.reason, ...said, stored }
    const sent = this.#source.answerInstead(response, response.forwardedFields(this.#about.clock.wallNow(), forwarded))
    // A 304 or a part has the same cookies and directives as the whole.
    return this.#source.hasOuterLayers
      ? whyRefused({ ...sent, status: response.status }, this.exchange, this.#respondedAt)
      : undefined
  }

  #announceLifetime(verdict: Shared, fields: FieldMap): void {
    this.keptFor = keptFor(verdict, fields, tagsOf(this.exchange.origin, fields))
    this.#context.cacheFor(this.keptFor)
  }

  #label(more: { stored?: boolean; detail?: string } = {}): void {
    const head = this.#head
    if (this.#source.headSent || head === undefined) return
    const fields = new FieldMap(head.fields)
    // The same instant as in the stored response: the Date of a response does not change.
    if (this.verdict !== undefined && !fields.has('date')) {
      this.#source.setField('Date', formatHttpDate(this.#respondedAt))
    }
    const forwarded = { reason: this.exchange.reason, status: head.status, ...more }
    this.#source.setField('Cache-Status', cacheStatusForward(forwarded, fields.get('cache-status')))
  }

  /** The lease is lost, or time is up, or the cache is closed. Only a lost lease lets the fill go on, for its waiters. */
  #onAbort(): void {
    const reason: unknown = this.#context.signal.reason
    if (reason instanceof LockLostError) return
    if (this.#phase === 'before') this.fail(reason)
    // A 304 says all by its head.
    else if (this.#phase === 'validating') this.#freshen()
    else if (this.#isKept) this.#outgrow(reason instanceof LoadTimeoutError ? 'too-slow' : 'closed')
  }

  /** From here on only its own client is concerned, as it would be without us. */
  #leaveToClient(): void {
    this.#source.stop()
    this.#end()
  }

  #end(): void {
    this.#phase = 'over'
    this.#stall.end()
    this.#giveBack()
    this.#source.restore()
  }

  #giveBack(): void {
    this.#about.budget.giveBack(this.#held)
    this.#held = 0
  }
}
