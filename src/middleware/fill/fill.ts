import type { ServerResponse } from 'node:http'

import type { Clock } from '../../clock.ts'
import { cacheStatusForward } from '../rules/cache-status.ts'
import { Audience } from './audience.ts'
import { asWholeRequest } from '../node/whole-request.ts'
import type { Exchange } from '../flights/exchange.ts'
import { type FillContext, FillFailedError, type FillHost, type FillParts } from './fill-host.ts'
import { FieldMap, fieldsNamed } from '../rules/fields.ts'
import { tagsOf } from '../stored/groups.ts'
import { formatHttpDate } from '../rules/http-date.ts'
import type { Settings } from '../options.ts'
import { readHead, Recording, type RecordingObserver, type ResponseHead } from '../node/recording.ts'
import { DIRECT, replay } from '../answer/replay.ts'
import { freshenedHead, keptOfFreshened, responseOf, type StorableHead, storableHead } from '../stored/response-head.ts'
import { shieldFor } from '../node/stream-shield.ts'
import { judge, ONLY_NOW, type Shared } from '../rules/storable.ts'
import { StoredResponse } from '../stored/stored-response.ts'
import { type KeptFor, keptFor } from '../rules/kept-for.ts'
import { capabilityOf } from '../rules/targeted-fields.ts'
import { confirms } from '../rules/validators.ts'

const SERVER_FAILED = new Set([500, 502, 503, 504])

/** One run of the handler whose answer is recorded for others: for those who wait now, and for those who come later. */
export class Fill implements RecordingObserver {
  readonly exchange: Exchange
  /** The response to store; undefined if it may not be shared. Rejects if it never came whole. */
  readonly result: Promise<StoredResponse | undefined>
  /** Set when the header is known to be shareable. */
  verdict: Shared | undefined
  /** How long the cache is to keep the response; known with the verdict. */
  keptFor: KeptFor | undefined
  /** The handler's 304 was about another response than the stored one: that must go. */
  disownsStored = false
  readonly #context: FillContext
  readonly #settings: Settings
  readonly #clock: Clock
  readonly #host: FillHost
  readonly #recording: Recording
  readonly #shield: { lower(): void } | undefined
  readonly #restoreRequest: () => void
  /** The stored response that is being validated, or that may be sent if the handler fails. */
  readonly #stale: StoredResponse | undefined
  /** Whether a client is waiting at the response that the handler writes. */
  readonly #hasClient: boolean
  readonly #forOthers: boolean
  /** Whether others have been let in. */
  #isShared = false
  readonly #audience = new Audience()
  #resolve!: (response: StoredResponse | undefined) => void
  #reject!: (reason: unknown) => void
  #state: 'running' | 'settled' = 'running'
  /** The handler's header as it gave it, and as it is stored and followed. */
  #head: ResponseHead | undefined
  #stored: (StorableHead & ResponseHead) | undefined
  #respondedAt = 0
  #bytes = 0
  /** The body is too large, or took too long, to be stored. */
  #unkept = false
  #validated = false
  /** Set while the client's answer waits for the cache to say whether a stale response takes the handler's place. */
  #failed = false
  #goOn: () => void = () => {}

  constructor(parts: FillParts) {
    this.exchange = parts.exchange
    this.#context = parts.context
    this.#settings = parts.settings
    this.#clock = parts.clock
    this.#host = parts.host
    this.#hasClient = parts.hasClient
    this.#forOthers = parts.forOthers
    const { stale } = parts.context
    this.#stale = stale instanceof StoredResponse && stale.isSelectedBy(parts.exchange.headers) ? stale : undefined
    if (this.#stale !== undefined) this.exchange.reason = 'stale'
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Followers and the flight learn of a failure in their own ways.
    this.result.catch(() => {})
    this.#restoreRequest = asWholeRequest(parts.exchange.req, this.#stale, capabilityOf(parts.settings))
    this.#recording = new Recording(parts.res, this)
    const { req } = this.exchange
    if (this.#hasClient && this.#forOthers)
      this.#shield = shieldFor(req, parts.res, this.#recording, () => this.onCut())
    if (this.#shield === undefined) parts.res.once('close', () => this.#onClose())
    parts.context.signal.addEventListener('abort', () => this.#onAbort(), { once: true })
  }

  /** Runs the handler on `res`. */
  run(res: ServerResponse): void {
    try {
      this.exchange.run(res, (error, goOn) => this.passError(error, goOn))
    } catch (error) {
      this.fail(error)
      // Where no framework caught it, it shall end the process as it would without us, not as a rejection of ours.
      process.nextTick(() => {
        throw error
      })
    }
  }

  /** Lets an exchange have the answer as it comes. False: it cannot, because what it asks for is not in sight. */
  follow(exchange: Exchange): boolean {
    const head = this.#stored
    if (head === undefined || !this.#isShared || this.#unkept) return false
    if (exchange.narrowed && exchange.req.method === 'GET') {
      this.#audience.admitAtEnd(exchange)
      return true
    }
    this.#audience.admit(exchange, head)
    return true
  }

  onHead(head: ResponseHead): 'send' | 'hold' {
    this.#head = head
    this.#respondedAt = this.#clock.wallNow()
    if (head.status === 304 && this.#stale !== undefined) {
      this.#validated = true
      return 'hold'
    }
    if (SERVER_FAILED.has(head.status) && this.#canDoWithout(this.#respondedAt)) {
      this.#failed = true
      this.#settle(() => this.#reject(new FillFailedError(`the handler answered ${head.status}`)))
      return 'hold'
    }
    const { status, fields: flat } = head
    const fields = new FieldMap(flat)
    const verdict = judge(this.exchange.asked, { status, fields, at: this.#respondedAt }, this.exchange.policy)
    if (!verdict.share) return verdict.lasting ? this.#goUnshared(verdict.reason) : this.#goAlone(head, verdict.reason)
    if (verdict.mustValidate && this.exchange.req.method === 'HEAD') return this.#goUnshared('head')
    const declared = fields.get('content-length')
    if (this.exchange.req.method !== 'HEAD' && Number(declared ?? 0) > this.#settings.maxBodyBytes) {
      return this.#goUnshared('too-large')
    }
    this.verdict = verdict
    this.#stored = {
      ...head,
      ...storableHead(head, fields, verdict.withheld, this.exchange.baseline, this.#respondedAt),
    }
    this.#announceLifetime(verdict, fields)
    if (verdict.mustValidate) this.#letOthersGo()
    if (this.#hasClient && this.exchange.narrowed && head.status === 200) {
      // With layers outside, what they add is known only when this client gets its answer, at the end.
      if (!this.#recording.hasOuterLayers) this.#share()
      return 'hold'
    }
    this.#label({ stored: this.#forOthers || verdict.mustValidate })
    return 'send'
  }

  /** Layers outside ours may have had their say meanwhile: a session that sets its cookie, a guard that forbids storing. */
  onHeadSent(head: ResponseHead): void {
    if (this.verdict === undefined || this.#state !== 'running') return
    const refusal = this.#refusal(head)
    if (refusal === undefined) this.#share()
    else this.#goUnshared(refusal)
  }

  onChunk(chunk: Buffer): boolean {
    if (this.#failed) return this.#growHeld(chunk)
    this.#bytes += chunk.length
    if (!this.#unkept && this.#bytes > this.#settings.maxBodyBytes) this.#outgrow()
    this.#audience.write(chunk, this.#settings.maxBodyBytes)
    return !this.#unkept
  }

  onEnd(): void {
    if (this.#failed) return
    if (this.#unkept) {
      this.#audience.end()
      this.#finish()
    } else if (this.#validated) this.#freshen()
    else this.#complete()
  }

  onCut(): void {
    this.fail(new FillFailedError('the handler gave up its response'))
  }

  /** The stale response goes to the client whose handler failed. */
  answerWith(stored: StoredResponse): void {
    if (!this.#failed || !this.#hasClient) return
    this.#restoreRequest()
    this.#recording.answerInstead(this.exchange.baseline, (outlet) => {
      const now = this.#clock.wallNow()
      replay(this.exchange.req, this.#recording.res, stored, stored.hitFields(now), outlet)
    })
    this.#finish()
  }

  /** No stale response either: what the handler said goes out after all. */
  giveHandlersAnswer(): void {
    if (!this.#failed) return
    this.#failed = false
    this.#label()
    this.#recording.stop()
    this.#finish()
    this.#goOn()
  }

  /** The handler passed an error on. `goOn` takes it further, unless a stale response can take the handler's place. */
  passError(error: unknown, goOn: () => void): void {
    if (!this.#hasClient || this.#recording.headSeen || !this.#canDoWithout(this.#clock.wallNow())) {
      this.fail(error)
      goOn()
      return
    }
    this.#failed = true
    this.#goOn = goOn
    this.#recording.hold()
    this.#settle(() => this.#reject(error))
  }

  fail(reason: unknown): void {
    this.#settle(() => this.#reject(reason))
    this.#audience.cut()
    this.#recording.stop()
    this.#finish()
  }

  /** Requests that follow at the end only, and that have not begun: for when the end will not come. */
  takeUnbegun(): Exchange[] {
    return this.#audience.takeUnbegun()
  }

  /** Whatever comes of it is for later requests alone, each of which asks its handler whether it is still good. */
  #letOthersGo(): void {
    this.#context.doNotShare()
    this.#host.onUnshared(false)
  }

  #share(): void {
    if (this.verdict?.mustValidate) return
    this.#isShared = true
    this.#host.onShare()
  }

  /** Why the response, as it went out in the end, may not be shared after all. */
  #refusal({ status, fields }: ResponseHead): string | undefined {
    const answered = { status, fields: new FieldMap(fields), at: this.#respondedAt }
    const verdict = judge(this.exchange.asked, answered, this.exchange.policy)
    return verdict.share ? undefined : verdict.reason
  }

  /** Whether a stale response may be sent in place of a failure, or was sent already and may be for some time. */
  #canDoWithout(now: number): boolean {
    const stale = this.#stale
    return stale !== undefined && (stale.mayServeOnError(now) || (!this.#hasClient && stale.mayServeStale(now)))
  }

  /** An error about the request at hand: the others go on alone, and nothing is remembered of it. */
  #goAlone({ status }: ResponseHead, detail: string): 'send' {
    this.#label({ detail })
    this.#host.onUnshared(false)
    this.fail(new FillFailedError(`the handler answered ${status}`))
    return 'send'
  }

  #goUnshared(detail: string, lasting = true): 'send' {
    this.verdict = undefined
    this.#label({ detail })
    this.#context.doNotShare()
    this.#recording.stop()
    this.#settle(() => this.#resolve(undefined))
    this.#finish()
    this.#host.onUnshared(lasting)
    return 'send'
  }

  /** Too large or too slow to be kept: whoever has begun goes on, at the pace of the leader's client and the handler. */
  #outgrow(): void {
    this.#unkept = true
    this.#audience.stopKeeping()
    this.#context.doNotShare()
    this.#recording.sendHeld()
    this.#settle(() => this.#resolve(undefined))
    if (this.#audience.isEmpty) {
      this.#recording.stop()
      this.#finish()
    }
    this.#host.onUnshared(true)
  }

  #growHeld(chunk: Buffer): boolean {
    this.#bytes += chunk.length
    if (this.#bytes <= this.#settings.maxBodyBytes) return true
    this.giveHandlersAnswer()
    return false
  }

  #complete(): void {
    const { verdict } = this
    const head = this.#stored
    if (verdict === undefined || head === undefined) return
    const isBodiless = this.exchange.req.method === 'HEAD' || head.status === 204
    const declared = new FieldMap(head.fields).get('content-length')
    if (!isBodiless && declared !== undefined && Number(declared) !== this.#bytes) {
      this.fail(new FillFailedError(`the handler sent ${this.#bytes} bytes of ${declared}`))
      return
    }
    const hasLength = isBodiless || declared !== undefined
    const fields = hasLength ? head.fields : [...head.fields, 'Content-Length', String(this.#bytes)]
    this.#deliver(this.#response(verdict, { ...head, fields }, this.#audience.body()))
  }

  /** The stored response is still good: it gets the new fields and a new life. */
  #freshen(): void {
    const stale = this.#stale
    const update = this.#head
    if (stale === undefined || update === undefined) return
    if (!confirms(new FieldMap(update.fields), stale)) {
      this.disownsStored = true
      const { status, statusMessage: message, fields, removed, body } = stale
      this.#answerHeld(this.#response(ONLY_NOW, { status, message, fields, removed }, body), 'other-validator')
      this.#goUnshared('other-validator', false)
      return
    }
    const head = freshenedHead(stale, update, this.exchange.baseline, this.#respondedAt)
    // Its Age is not stored, but says how long the new life is.
    const judged = new FieldMap([...head.fields, ...fieldsNamed(update.fields, 'age')])
    const answered = { status: stale.status, fields: judged, at: this.#respondedAt }
    const verdict = judge(this.exchange.asked, answered, this.exchange.policy)
    if (verdict.share) {
      this.verdict = verdict
      this.#announceLifetime(verdict, judged)
      if (verdict.mustValidate) this.#letOthersGo()
      const kept = keptOfFreshened(head, stale, verdict, this.exchange.policy.targetedFields)
      this.#deliver(this.#response(verdict, kept, stale.body), this.#response(verdict, head, stale.body))
    } else {
      this.#answerHeld(this.#response(ONLY_NOW, head, stale.body), verdict.reason)
      this.#goUnshared(verdict.reason, verdict.lasting)
    }
  }

  #response(verdict: Shared, head: StorableHead & ResponseHead, body: Buffer): StoredResponse {
    return responseOf(head, body, verdict, this.exchange.headers, this.#respondedAt)
  }

  /** `forClient` has what is the client's of this run alone. */
  #deliver(response: StoredResponse, forClient = response): void {
    this.#audience.end()
    const refusal = this.#answerHeld(forClient)
    if (refusal !== undefined) {
      this.#goUnshared(refusal)
      return
    }
    const now = this.#clock.wallNow()
    for (const exchange of this.takeUnbegun()) {
      const forwarded = { reason: exchange.reason, status: response.status, collapsed: true }
      const fields = response.forwardedFields(now, forwarded)
      if (!exchange.isOver) exchange.within(() => replay(exchange.req, exchange.res, response, fields, DIRECT))
    }
    this.#settle(() => this.#resolve(response))
    this.#finish()
  }

  /**
   * The leader's client asked for less than all, or a 304 was meant for us: it gets its answer from the whole. Returns
   * why nobody else may have it, if that is what outer layers say. `detail`: why that is known already.
   */
  #answerHeld(response: StoredResponse, detail?: string): string | undefined {
    if (!this.#hasClient || !this.#recording.isHolding) return undefined
    const { exchange } = this
    this.#restoreRequest()
    this.#recording.answerInstead(exchange.baseline, (outlet) => {
      const status = this.#head?.status
      const stored = detail === undefined && (this.#forOthers || response.mustValidate)
      const said = { ...(status !== undefined && { status }), ...(detail !== undefined && { detail }) }
      const forwarded = { reason: exchange.reason, ...said, stored }
      const fields = response.forwardedFields(this.#clock.wallNow(), forwarded)
      replay(exchange.req, this.#recording.res, response, fields, outlet)
    })
    if (!this.#recording.hasOuterLayers) return undefined
    // A 304 or a part says as much of cookies and directives as the whole.
    return this.#refusal({ ...readHead(this.#recording.res), status: response.status })
  }

  #announceLifetime(verdict: Shared, fields: FieldMap): void {
    this.keptFor = keptFor(verdict, fields, tagsOf(this.exchange.req, fields))
    this.#context.cacheFor(this.keptFor)
  }

  #label(more: { stored?: boolean; detail?: string } = {}): void {
    const { res, headSent } = this.#recording
    const head = this.#head
    if (headSent || head === undefined) return
    // The same instant as in what is stored: the Date of a response does not change.
    if (res.sendDate && this.verdict !== undefined && !res.hasHeader('date')) {
      res.setHeader('Date', formatHttpDate(this.#respondedAt))
    }
    const forwarded = { reason: this.exchange.reason, status: head.status, ...more }
    res.setHeader('Cache-Status', cacheStatusForward(forwarded, new FieldMap(head.fields).get('cache-status')))
  }

  #onClose(): void {
    if (this.#state === 'running' && !this.#recording.ended) this.onCut()
  }

  /** The lease was lost, or time is up, or the cache is closed. Only the first lets the fill go on, for its own waiters. */
  #onAbort(): void {
    const reason: unknown = this.#context.signal.reason
    if (this.#state !== 'running' || (reason instanceof Error && reason.name === 'LockLostError')) return
    if (this.verdict === undefined) this.fail(reason)
    else this.#outgrow()
  }

  #settle(how: () => void): void {
    if (this.#state === 'settled') return
    this.#state = 'settled'
    how()
  }

  #finish(): void {
    this.#shield?.lower()
    this.#restoreRequest()
  }
}
