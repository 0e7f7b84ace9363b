import type { LoaderContext } from '../cache/loader-context.ts'
import type { Clock } from '../clock.ts'
import { cacheStatusForward } from './cache-status.ts'
import { asWholeRequest } from './conditional.ts'
import type { Exchange } from './exchange.ts'
import { FieldMap, type FlatFields, without } from './fields.ts'
import { Follower } from './follower.ts'
import { tagsOf } from './groups.ts'
import type { Settings } from './options.ts'
import { Recording, type RecordingObserver, type ResponseHead } from './recording.ts'
import { DIRECT, replay } from './replay.ts'
import { freshenedFields, storableHead } from './response-head.ts'
import { Shield } from './shield.ts'
import { judge, type Verdict } from './storable.ts'
import type { Stored } from './stored-codec.ts'
import { StoredResponse } from './stored-response.ts'
import { selectingValue } from './vary.ts'

/** Why a handler's run yields nothing that others may have. */
export class FillFailedError extends Error {
  override readonly name = 'FillFailedError'
}

/** Who is told how a fill goes on. */
export interface FillHost {
  /** The header is there and says that others may have the response. */
  onShare(fill: Fill): void
  /** It may not be shared; everybody who waits must go on alone. */
  onUnshared(): void
}

/** What the cache is told of a response: times in ms, and the groups that it belongs to. */
export interface StoredFor {
  readonly ttl: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly tags: readonly string[]
}

type Shared = Extract<Verdict, { share: true }>

/** How far, in bytes, a client may be behind a body that is not kept. */
const MOST_BEHIND = 1024 * 1024
const CACHE_STATUS = new Set(['cache-status'])
const SERVER_FAILED = new Set([500, 502, 503, 504])
const MAX_VALIDATION_WINDOW = 24 * 60 * 60 * 1000
const MIN_VALIDATION_WINDOW = 5 * 60 * 1000

/** One run of the handler whose answer is recorded for others: for those who wait now, and for those who come later. */
export class Fill implements RecordingObserver {
  readonly exchange: Exchange
  /** The response to store; undefined if it may not be shared. Rejects if it never came whole. */
  readonly result: Promise<StoredResponse | undefined>
  /** Set when the header is known to be shareable. */
  verdict: Shared | undefined
  /** How long the cache is to keep the response; known with the verdict. */
  storedFor: StoredFor | undefined
  /** The pieces of the body so far; emptied when it has grown too large to be stored. */
  readonly log: Buffer[] = []
  status = 0
  message = ''
  fields: FlatFields = []
  readonly #context: LoaderContext<Stored | undefined>
  readonly #settings: Settings
  readonly #clock: Clock
  readonly #host: FillHost
  readonly #recording: Recording
  readonly #shield: Shield | undefined
  readonly #restoreRequest: () => void
  /** The stored response that is being validated, or that may be sent if the handler fails. */
  readonly #stale: StoredResponse | undefined
  /** Whether a client is waiting at the response that the handler writes. */
  readonly #hasClient: boolean
  readonly #followers = new Set<Follower>()
  readonly #endFollowers = new Set<Exchange>()
  #resolve!: (response: StoredResponse | undefined) => void
  #reject!: (reason: unknown) => void
  #state: 'running' | 'settled' = 'running'
  #head: ResponseHead | undefined
  #removed: readonly string[] = []
  #respondedAt = 0
  #bytes = 0
  #unkept = false
  #validated: ResponseHead | undefined
  #failed = false

  constructor(parts: {
    exchange: Exchange
    res: Exchange['res']
    hasClient: boolean
    context: LoaderContext<Stored | undefined>
    settings: Settings
    clock: Clock
    host: FillHost
  }) {
    this.exchange = parts.exchange
    this.#context = parts.context
    this.#settings = parts.settings
    this.#clock = parts.clock
    this.#host = parts.host
    this.#hasClient = parts.hasClient
    const { stale } = parts.context
    this.#stale = stale instanceof StoredResponse && stale.isSelectedBy(parts.exchange.headers) ? stale : undefined
    if (this.#stale !== undefined) this.exchange.reason = 'stale'
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Followers and the flight learn of a failure in their own ways.
    this.result.catch(() => {})
    this.#restoreRequest = asWholeRequest(parts.exchange.req, this.#stale)
    this.#recording = new Recording(parts.res, this)
    this.#shield =
      this.#hasClient && Shield.isPossible(parts.res)
        ? new Shield(parts.exchange.req, parts.res, () => this.onCut())
        : undefined
    if (this.#shield === undefined) parts.res.once('close', () => this.#onClose())
    parts.context.signal.addEventListener('abort', () => this.#onAbort(), { once: true })
  }

  /** Lets an exchange have the answer as it comes. False: it cannot, because what it asks for is not in sight. */
  follow(exchange: Exchange): boolean {
    if (this.verdict === undefined || this.#unkept || this.#failed) return false
    if (exchange.narrowed && exchange.req.method === 'GET') {
      this.#endFollowers.add(exchange)
      return true
    }
    const forwarded = { reason: exchange.reason, status: this.status, collapsed: true }
    const status = cacheStatusForward(forwarded, new FieldMap(this.fields).get('cache-status'))
    exchange.within(() => {
      const fields = without(this.fields, CACHE_STATUS)
      const followed = { status: this.status, message: this.message, fields, removed: this.#removed, log: this.log }
      this.#followers.add(new Follower(exchange, followed, status, (follower) => this.#followers.delete(follower)))
    })
    return true
  }

  onHead(head: ResponseHead): 'send' | 'hold' {
    this.#head = head
    this.#respondedAt = this.#clock.wallNow()
    if (head.status === 304 && this.#stale !== undefined) {
      this.#validated = head
      return 'hold'
    }
    if (SERVER_FAILED.has(head.status) && this.#canDoWithout(this.#respondedAt)) {
      this.#failed = true
      this.#settle(() => this.#reject(new FillFailedError(`the handler answered ${head.status}`)))
      return 'hold'
    }
    const { status, fields: flat } = head
    const fields = new FieldMap(flat)
    const verdict = judge(this.exchange.asked, { status, fields, at: this.#respondedAt }, this.#settings)
    if (!verdict.share) return this.#goUnshared(verdict.reason)
    const declared = fields.get('content-length')
    if (this.exchange.req.method !== 'HEAD' && Number(declared ?? 0) > this.#settings.maxBodyBytes) {
      return this.#goUnshared('too-large')
    }
    const { fields: kept, removed } = storableHead(
      head,
      fields,
      verdict.withheld,
      this.exchange.baseline,
      this.#respondedAt,
    )
    this.verdict = verdict
    this.status = head.status
    this.message = head.message
    this.fields = kept
    this.#removed = removed
    this.#announceLifetime(verdict, fields)
    if (this.#hasClient && this.exchange.narrowed && head.status === 200) {
      this.#host.onShare(this)
      return 'hold'
    }
    this.#label({ reason: this.exchange.reason, status: head.status, stored: true })
    return 'send'
  }

  /** Layers outside ours may have had their say meanwhile: a session that sets its cookie, a guard that forbids storing. */
  onHeadSent(head: ResponseHead): void {
    if (this.verdict === undefined || this.#state !== 'running') return
    const answered = { status: head.status, fields: new FieldMap(head.fields), at: this.#respondedAt }
    const verdict = judge(this.exchange.asked, answered, this.#settings)
    if (verdict.share) this.#host.onShare(this)
    else {
      this.verdict = undefined
      this.#goUnshared(verdict.reason)
    }
  }

  onChunk(chunk: Buffer): boolean {
    if (this.#failed) return this.#growHeld(chunk)
    if (this.#unkept) {
      for (const follower of this.#followers) {
        if (!follower.take(chunk, Math.max(this.#settings.maxBodyBytes, MOST_BEHIND))) follower.cut()
      }
      return false
    }
    this.#bytes += chunk.length
    if (this.#bytes > this.#settings.maxBodyBytes) {
      this.#outgrow()
      return this.onChunk(chunk)
    }
    this.log.push(chunk)
    for (const follower of this.#followers) follower.advance()
    return true
  }

  onEnd(): void {
    if (this.#failed) return
    if (this.#unkept) {
      for (const follower of this.#followers) follower.end()
      this.#finish()
      return
    }
    if (this.#validated !== undefined) this.#freshen(this.#validated)
    else this.#complete()
  }

  onCut(): void {
    this.fail(new FillFailedError('the handler gave up its response'))
  }

  /** The stale response goes to the client whose handler failed. */
  answerWith(stored: StoredResponse): void {
    if (!this.#failed || !this.#hasClient) return
    this.#recording.answerInstead(this.exchange.baseline, (outlet) => {
      const now = this.#clock.wallNow()
      replay(this.exchange.req, this.#recording.res, stored, stored.hitFields(now), outlet)
    })
    this.#finish()
  }

  /** No stale response either: what the handler said goes out after all. */
  giveHandlersAnswer(): void {
    if (!this.#failed) return
    this.#label({ reason: this.exchange.reason, ...(this.#head && { status: this.#head.status }) }, this.#hasClient)
    this.#recording.stop()
    this.#finish()
  }

  fail(reason: unknown): void {
    this.#settle(() => this.#reject(reason))
    for (const follower of this.#followers) follower.cut()
    this.#followers.clear()
    this.#recording.stop()
    this.#finish()
  }

  /** Requests that follow at the end only, and that have not begun: for when the end will not come. */
  takeUnbegun(): Exchange[] {
    const unbegun = [...this.#endFollowers]
    this.#endFollowers.clear()
    return unbegun
  }

  /** Whether a stale response may be sent in place of a failure, or was sent already and may be for some time. */
  #canDoWithout(now: number): boolean {
    const stale = this.#stale
    return stale !== undefined && (stale.mayServeOnError(now) || (!this.#hasClient && stale.mayServeStale(now)))
  }

  #goUnshared(detail: string): 'send' {
    this.#label({ reason: this.exchange.reason, ...(this.#head && { status: this.#head.status }), detail })
    this.#context.doNotShare()
    this.#recording.stop()
    this.#settle(() => this.#resolve(undefined))
    this.#finish()
    this.#host.onUnshared()
    return 'send'
  }

  /** Too large or too slow to be kept: whoever has begun goes on, at the pace of the leader's client and the handler. */
  #outgrow(): void {
    this.#unkept = true
    for (const follower of this.#followers) follower.part()
    this.log.length = 0
    this.#context.doNotShare()
    this.#recording.sendHeld()
    this.#settle(() => this.#resolve(undefined))
    if (this.#followers.size === 0) {
      this.#recording.stop()
      this.#finish()
    }
    this.#host.onUnshared()
  }

  #growHeld(chunk: Buffer): boolean {
    this.#bytes += chunk.length
    if (this.#bytes <= this.#settings.maxBodyBytes) return true
    this.giveHandlersAnswer()
    return false
  }

  #complete(): void {
    const { verdict } = this
    if (verdict === undefined) return
    const isHead = this.exchange.req.method === 'HEAD'
    const declared = new FieldMap(this.fields).get('content-length')
    if (!isHead && declared !== undefined && Number(declared) !== this.#bytes && this.status !== 204) {
      this.fail(new FillFailedError(`the handler sent ${this.#bytes} bytes of ${declared}`))
      return
    }
    const body = this.log.length === 1 ? (this.log[0] as Buffer) : Buffer.concat(this.log, this.#bytes)
    const hasLength = isHead || this.status === 204 || declared !== undefined
    const fields = hasLength ? this.fields : [...this.fields, 'Content-Length', String(this.#bytes)]
    this.#deliver(this.#response(verdict, { status: this.status, message: this.message, fields }, body, this.#removed))
  }

  /** The stored response is still good: it gets the new fields and a new life. */
  #freshen(head: ResponseHead): void {
    const stale = this.#stale as StoredResponse
    const flat = freshenedFields(stale.fields, { ...head, fields: this.#ownFields(head) })
    const fields = new FieldMap([...flat, ...head.fields.filter((_, index) => isAge(head.fields, index))])
    const verdict = judge(this.exchange.asked, { status: stale.status, fields, at: this.#respondedAt }, this.#settings)
    const described = { status: stale.status, message: stale.statusMessage, fields: flat }
    const lifetime = { age: 0, freshness: 0, staleWhileRevalidate: 0, staleIfError: 0 }
    const usable = verdict.share
      ? verdict
      : { ...verdict, share: true as const, lifetime, explicit: false, withheld: [], vary: [] }
    const response = this.#response(usable, described, stale.body, stale.removed)
    this.status = stale.status
    if (verdict.share) {
      this.verdict = verdict
      this.#announceLifetime(verdict, fields)
      this.#deliver(response)
    } else {
      this.#context.doNotShare()
      this.#answerHeld(response)
      this.#settle(() => this.#resolve(undefined))
      this.#finish()
      this.#host.onUnshared()
    }
  }

  /** Of a 304: what outer layers have set is not the handler's word. */
  #ownFields(head: ResponseHead): FlatFields {
    const map = new FieldMap(head.fields)
    const own = storableHead(head, map, [], this.exchange.baseline, this.#respondedAt)
    return own.fields
  }

  #response(verdict: Shared, head: ResponseHead, body: Buffer, removed: readonly string[]): StoredResponse {
    const { headers } = this.exchange
    return new StoredResponse({
      status: head.status,
      statusMessage: head.message,
      fields: head.fields,
      removed,
      body,
      respondedAt: this.#respondedAt,
      lifetime: verdict.lifetime,
      explicit: verdict.explicit,
      selecting: verdict.vary.map((name) => [name, selectingValue(headers, name) ?? null] as const),
    })
  }

  #deliver(response: StoredResponse): void {
    for (const follower of this.#followers) follower.end()
    this.#answerHeld(response)
    const now = this.#clock.wallNow()
    for (const exchange of this.takeUnbegun()) {
      const fields = response.forwardedFields(now, { reason: exchange.reason, status: this.status, collapsed: true })
      if (!exchange.isOver) exchange.within(() => replay(exchange.req, exchange.res, response, fields, DIRECT))
    }
    this.#settle(() => this.#resolve(response))
    this.#finish()
  }

  /** The leader's client asked for less than all, or a 304 was meant for us: it gets its answer from the whole. */
  #answerHeld(response: StoredResponse): void {
    if (!this.#hasClient) return
    const { exchange } = this
    this.#restoreRequest()
    this.#recording.answerInstead(exchange.baseline, (outlet) => {
      const status = this.#head?.status
      const forwarded = { reason: exchange.reason, ...(status !== undefined && { status }), stored: true }
      const fields = response.forwardedFields(this.#clock.wallNow(), forwarded)
      replay(exchange.req, this.#recording.res, response, fields, outlet)
    })
  }

  #announceLifetime({ lifetime }: Shared, fields: FieldMap): void {
    const left = lifetime.freshness - lifetime.age
    const hasValidator = fields.has('etag') || fields.has('last-modified')
    const window = hasValidator ? validationWindow(lifetime.freshness) : 0
    const late = Math.min(0, left)
    this.storedFor = {
      ttl: Math.max(1, Math.floor(left)),
      staleWhileRevalidate: Math.max(0, Math.floor(lifetime.staleWhileRevalidate + late)),
      // Longer than it may be served: what cannot be used as it is can still be validated.
      staleIfError: Math.max(0, Math.floor(Math.max(lifetime.staleIfError + late, window))),
      tags: tagsOf(this.exchange.req, fields),
    }
    this.#context.cacheFor(this.storedFor)
  }

  #label(forwarded: Parameters<typeof cacheStatusForward>[0], possible = true): void {
    const { res } = this.#recording
    if (!possible || res.headersSent) return
    const before = res.getHeader('cache-status')
    const text = Array.isArray(before) ? before.join(', ') : before === undefined ? undefined : String(before)
    res.setHeader('Cache-Status', cacheStatusForward(forwarded, text))
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

function isAge(fields: FlatFields, index: number): boolean {
  return String(fields[index - (index % 2)]).toLowerCase() === 'age'
}

function validationWindow(freshness: number): number {
  return Math.min(MAX_VALIDATION_WINDOW, Math.max(MIN_VALIDATION_WINDOW, freshness))
}
