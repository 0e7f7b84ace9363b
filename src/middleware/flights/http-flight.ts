import type { Cache } from '../../cache/cache.ts'
import type { PartialSharing } from '../../cache/stream/partial-sharing.ts'
import { isPassed, type LoaderContext } from '../../cache/refill/loader-context.ts'
import type { Clock } from '../../clock.ts'
import { OverloadedError } from '../../errors.ts'
import type { Random } from '../../random.ts'
import { Elsewhere } from './elsewhere.ts'
import type { Exchange } from './exchange.ts'
import { Publishing } from './publishing.ts'
import { FillFailedError } from '../fill/fill-failed-error.ts'
import type { FillContext, FillHost, FillRules, FillSurroundings } from '../fill/fill-parts.ts'
import { Fill } from '../fill/fill.ts'
import type { ResponseDonors } from './response-donors.ts'
import { type Stored, storedCodec } from '../stored/stored-codec.ts'
import { cacheStatusForward } from '../rules/cache-status.ts'
import type { KeptFor } from '../rules/kept-for.ts'
import { StoredResponse } from '../stored/stored-response.ts'
import { VaryIndex } from '../stored/vary-index.ts'
import { keepForValidation } from './validation.ts'
import { joinedFields } from '../rules/vary.ts'
import type { WaitUntil } from '../wait-until.ts'

type Context = LoaderContext<Stored | undefined>

/** What the options say of flights. */
export interface FlightRules extends FillRules {
  readonly maxFillBytes: number
  readonly maxVariants: number
  readonly maxWaiters: number
  readonly waitWithAuthorization: boolean
  /** ms. */
  readonly unsharedFor: number
  /** ms. */
  readonly maxStreamDuration: number
}

/** What a flight needs of its surroundings. */
export interface FlightHost {
  readonly cache: Cache
  readonly rules: FlightRules
  readonly clock: Clock
  readonly random: Random
  /** Looks for an answer once more. */
  enter(exchange: Exchange): void
  /** Runs the exchange's own handler, for it alone. */
  runAlone(exchange: Exchange, detail: string): void
  /** Runs the exchange's own handler to learn whether `stored` is still good, for it alone. */
  validate(exchange: Exchange, stored: StoredResponse): void
  /** A response was for one client alone. */
  noteUnshared(key: string, reason: string): void
  /** Requests for `key` must not wait for one another for some time. */
  markUnshared(key: string): void
  /** The response to the exchange is for others. */
  markShared(exchange: Exchange): void
  /** This process refills `key`. Until `endStale`, requests get `stored` at once. */
  beginStale(key: string, stored: StoredResponse): void
  endStale(key: string): void
  /** Nobody may join this flight any more. */
  leave(flight: HttpFlight): void
  isCurrent(flight: HttpFlight): boolean
  readonly donors: ResponseDonors
  readonly surroundings: FillSurroundings
  readonly partial: PartialSharing
}

/** Stands for no waiting at all: the request's own handler runs, even if the lease is not free. */
const NO_WAIT = { waitTimeout: 1, onWaitTimeout: 'load' } as const

const SERVICE_UNAVAILABLE = 503

/** Fills without an answer before a request stops waiting for others and runs its own handler. */
const MAX_ATTEMPTS = 2
/** An index outlives the variants that it leads to. Losing it costs one run of the handler. */
const INDEX_LIFETIME: KeptFor = { ttl: 7 * 24 * 60 * 60 * 1000, staleWhileRevalidate: 0, staleIfError: 0, tags: [] }

/** All requests of this process that wait for the response of one key, and how they get it. */
export class HttpFlight implements FillHost {
  readonly key: string
  readonly #host: FlightHost
  /** Requests that have neither an answer nor a fill to follow. */
  readonly #waiting = new Set<Exchange>()
  #cameSinceLook = 0
  #fill: Fill | undefined
  /** Publishes `#fill` to other processes. */
  #publishing: Publishing | undefined
  #context: Context | undefined
  /** The response that another process makes. */
  readonly #elsewhere: Elsewhere
  /** Set when the fill's header shows that responses vary in another way than was known. */
  #index: VaryIndex | undefined
  /** Exchanges that this flight answered with a stored response. A background refill may borrow one of them. */
  readonly #answered: Exchange[] = []
  /** The `waitUntil` of the first request's host. */
  readonly #waitUntil: WaitUntil | undefined
  /** GET and HEAD wait for the same fill, but only requests with the method of the first can run the handler for it. */
  readonly #ownKey: string

  constructor(first: Exchange, host: FlightHost) {
    this.key = first.key
    this.#ownKey = first.keys.own
    this.#host = host
    this.#waitUntil = first.waitUntil
    this.#waiting.add(first)
    this.#elsewhere = new Elsewhere(this.key, host, (fill) => {
      this.#host.markShared(first)
      for (const exchange of [...this.#waiting]) if (fill.follow(exchange)) this.#waiting.delete(exchange)
    })
  }

  /** `mayWait`: it may also wait for a run in another process. */
  start(mayWait: boolean): void {
    const { cache } = this.#host
    const own = { codec: storedCodec as never, failureTtl: 0, waitUntil: this.#waitUntil }
    const options = { ...own, ...(!mayWait && NO_WAIT) }
    this.#elsewhere.begin()
    cache
      .getOrRefill<Stored | undefined>(this.key, (context) => this.#load(context), options)
      .finally(() => this.#elsewhere.end())
      .then(
        (value) => this.#deliver(value),
        (error: unknown) => (error instanceof OverloadedError ? this.#refuse(error, mayWait) : this.#giveUp()),
      )
  }

  /** Whether its answer is known to be for others. */
  get isShared(): boolean {
    return this.#fill?.verdict !== undefined || this.#elsewhere.fill?.isShared === true
  }

  /** False: too many wait already. */
  join(exchange: Exchange): boolean {
    if (this.#elsewhere.fill?.follow(exchange)) return true
    if (this.#isCrowded()) return false
    this.#waiting.add(exchange)
    if (this.#fill?.verdict !== undefined) this.#route(exchange, this.#fill)
    else this.#elsewhere.lookAgain()
    return true
  }

  onShare(): void {
    const fill = this.#fill
    if (fill === undefined) return
    this.#host.markShared(fill.exchange)
    this.#index = this.#indexFor(fill)
    const { partial, rules } = this.#host
    if (fill.describeHead()?.isEventStream) partial.allow(this.#context, rules.maxStreamDuration)
    this.#publishing?.begin(fill)
    for (const exchange of [...this.#waiting]) this.#route(exchange, fill)
  }

  onUnshared(lasting: boolean, reason?: string): void {
    if (reason !== undefined) this.#host.noteUnshared(this.key, reason)
    if (lasting) this.#host.markUnshared(this.key)
    this.#host.leave(this)
    for (const exchange of this.#takeWaiting()) this.#host.runAlone(exchange, 'unshared')
  }

  async #load(context: Context): Promise<Stored | undefined> {
    context.signal.addEventListener('abort', () => this.#host.leave(this), { once: true })
    if (context.background) return this.#refillInBackground(context)
    if (isPassed(context)) {
      // Another process has learnt that the answers are not for others. This process need not learn it again.
      this.onUnshared(false)
      return undefined
    }
    const runner = this.#takeRunner()
    if (runner === undefined) throw new FillFailedError('every client has left')
    return this.#run(runner, true, context)
  }

  async #refillInBackground(context: Context): Promise<Stored | undefined> {
    const { stale } = context
    const isStale = stale instanceof StoredResponse && stale.freshFor(this.#host.clock.wallNow()) <= 0
    if (isStale) this.#host.beginStale(this.key, stale)
    try {
      const runner = await this.#borrow(context.signal)
      return await this.#run(runner, !runner.edge.canStandIn, context)
    } finally {
      this.#host.endStale(this.key)
    }
  }

  /**
   * Waits for an exchange whose response is sent and closed, so that it can be written once more. If that is not possible,
   * the next request runs its handler in the foreground.
   */
  #borrow(signal: AbortSignal): Promise<Exchange> {
    const { donors } = this.#host
    return new Promise<Exchange>((resolve, reject) => {
      const take = (exchange: Exchange): void => {
        if (exchange.keys.own !== this.#ownKey) return
        if (exchange.edge.canStandIn) exchange.edge.whenFree(() => resolve(exchange))
        else if (!exchange.edge.isOver) resolve(exchange)
      }
      donors.want(this.key, take)
      for (const exchange of this.#answered) donors.offer(this.key, exchange)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    }).finally(() => donors.served(this.key))
  }

  async #run(runner: Exchange, hasClient: boolean, context: Context): Promise<Stored | undefined> {
    let fill: Fill
    let isOthers = true
    const publishing = new Publishing(context, this.#host)
    const doNotShare = (): void => {
      isOthers = false
      if (!publishing.isUnderWay) context.doNotShare() // else its lease is still needed
    }
    try {
      const parts = { exchange: runner, hasClient, forOthers: true, context: about(context, doNotShare), host: this }
      fill = new Fill(parts, this.#host.surroundings)
    } catch (error) {
      // A request or response of a kind that is unknown here. Its own handler may know it.
      if (hasClient) this.#host.runAlone(runner, 'gave-up')
      throw error
    }
    this.#fill = fill
    this.#context = context
    this.#publishing = publishing
    fill.start()
    let response: StoredResponse | undefined
    try {
      response = await fill.result
    } finally {
      publishing.end()
      if (publishing.isUnderWay) await publishing.released()
    }
    if (!isOthers) context.doNotShare()
    if (fill.disownsStored) this.#host.cache.invalidate(this.key).catch(() => {})
    if (response === undefined) return undefined
    if (!response.mustValidate) return this.#keep(response, fill, context)
    keepForValidation(this.#host.cache, fill, response)
    return undefined
  }

  /** Puts a response where requests will look for it. Returns what belongs at this flight's own key. */
  async #keep(response: StoredResponse, fill: Fill, context: Context): Promise<Stored> {
    const { cache } = this.#host
    const { exchange, keptFor = INDEX_LIFETIME } = fill
    const index = this.#index
    const codec = storedCodec as never
    if (index === undefined) {
      this.#capVariants(exchange.index, this.key)
      // A response that anybody may have is stored for requests with credentials and for those without.
      const isForAll = response.explicit && this.key === exchange.keys.get && this.key !== exchange.keys.anonymous
      if (isForAll && !this.#isOver) {
        await cache.set(exchange.keys.anonymous, response, { codec, ...keptFor }).catch(() => {})
      }
      return response
    }
    const variantKey = index.variantKey(exchange.rootKey, exchange.headers)
    if (!this.#isOver) await cache.set(variantKey, response, { codec, ...keptFor }).catch(() => {})
    this.#capVariants(index, variantKey)
    if (this.key === exchange.rootKey) {
      context.cacheFor(INDEX_LIFETIME)
      return index
    }
    if (!this.#isOver) await cache.set(exchange.rootKey, index, { codec, ...INDEX_LIFETIME }).catch(() => {})
    context.doNotStore()
    return response
  }

  #capVariants(index: VaryIndex | undefined, variantKey: string): void {
    const { cache, rules } = this.#host
    const oldest = index?.remember(variantKey, rules.maxVariants)
    if (oldest !== undefined) cache.invalidate(oldest).catch(() => {})
  }

  /** The index that a response needs, if none or another one led here. */
  #indexFor(fill: Fill): VaryIndex | undefined {
    const vary = fill.verdict?.vary ?? []
    const known = fill.exchange.index
    if (known === undefined) return vary.length === 0 ? undefined : new VaryIndex(this.#host.random.token(), vary)
    const missing = vary.some((name) => !known.fields.includes(name))
    const fields = missing ? joinedFields(known.fields, vary) : undefined
    return fields === undefined ? undefined : new VaryIndex(this.#host.random.token(), fields)
  }

  /** Lets a waiting exchange follow the fill, or sends it to the variant that it selects. */
  #route(exchange: Exchange, fill: Fill): void {
    const index = this.#index
    if (index !== undefined) {
      const own = index.variantKey(exchange.rootKey, exchange.headers)
      if (own !== index.variantKey(exchange.rootKey, fill.exchange.headers)) {
        this.#waiting.delete(exchange)
        exchange.select(index)
        this.#host.enter(exchange)
        return
      }
    }
    if (fill.follow(exchange)) this.#waiting.delete(exchange)
  }

  #deliver(value: Stored | undefined): void {
    this.#host.leave(this)
    const now = this.#host.clock.wallNow()
    if (value instanceof StoredResponse && value.mustValidate) {
      for (const exchange of this.#takeWaiting()) {
        if (value.isSelectedBy(exchange.headers)) this.#host.validate(exchange, value)
        else this.#host.runAlone(exchange, 'unshared')
      }
      return
    }
    if (value instanceof StoredResponse && this.#isUsable(value, now)) {
      this.#fill?.answerWith(value)
      for (const exchange of this.#takeWaiting()) this.#answer(exchange, value, now)
      return
    }
    for (const exchange of this.#takeWaiting()) {
      if (value instanceof VaryIndex) {
        exchange.select(value)
        this.#tryAgain(exchange)
      } else if (value === undefined) this.#host.runAlone(exchange, 'unshared')
      else this.#tryAgain(exchange)
    }
    this.#fill?.giveHandlersAnswer()
  }

  #answer(exchange: Exchange, stored: StoredResponse, now: number): void {
    if (!stored.isSelectedBy(exchange.headers)) {
      this.#tryAgain(exchange)
      return
    }
    if (exchange.edge.canStandIn) {
      this.#answered.push(exchange)
      this.#host.donors.offer(this.key, exchange)
    }
    exchange.edge.answer(stored, stored.hitFields(now))
  }

  /** Whether it is fresh by the cache's own clock, or stale and its response allows that. */
  #isUsable(stored: StoredResponse, now: number): boolean {
    return (
      stored.freshFor(now) > 0 ||
      stored.mayServeStale(now) ||
      stored.mayServeOnError(now) ||
      this.#host.cache.peek(this.key) === stored
    )
  }

  /** All slots are taken. Before requests are refused, they wait for a run in another process too. */
  #refuse({ retryAfter }: OverloadedError, hasWaited: boolean): void {
    if (!hasWaited) return this.start(true)
    this.#host.leave(this)
    for (const { edge, reason } of this.#takeWaiting()) {
      edge.refuse(SERVICE_UNAVAILABLE, cacheStatusForward({ reason, detail: 'overloaded' }, undefined), retryAfter)
    }
    this.#fill?.giveHandlersAnswer()
  }

  #giveUp(): void {
    this.#host.leave(this)
    for (const exchange of this.#takeWaiting()) this.#tryAgain(exchange)
    this.#fill?.giveHandlersAnswer()
  }

  /** Whether nobody may join any more. Then what it stores outside its own key could bring back what was invalidated. */
  get #isOver(): boolean {
    return !this.#host.isCurrent(this)
  }

  #tryAgain(exchange: Exchange): void {
    if (++exchange.attempts < MAX_ATTEMPTS) this.#host.enter(exchange)
    else this.#host.runAlone(exchange, 'gave-up')
  }

  #takeRunner(): Exchange | undefined {
    for (const exchange of this.#waiting) {
      if (exchange.keys.own !== this.#ownKey || exchange.edge.isOver) continue
      this.#waiting.delete(exchange)
      return exchange
    }
    return undefined
  }

  /** Takes the waiting requests whose clients are still there. They wait no longer. */
  #takeWaiting(): Exchange[] {
    for (const exchange of this.#fill?.takeUnbegun() ?? []) this.#waiting.add(exchange)
    this.#forgetGone()
    const taken = [...this.#waiting]
    this.#waiting.clear()
    return taken
  }

  /** Removes requests whose clients have left, but only after as many arrivals as there are waiting requests. */
  #isCrowded(): boolean {
    const { maxWaiters } = this.#host.rules
    if (++this.#cameSinceLook >= this.#waiting.size && this.#waiting.size >= maxWaiters) {
      this.#cameSinceLook = 0
      this.#forgetGone()
    }
    return this.#waiting.size >= maxWaiters
  }

  #forgetGone(): void {
    for (const exchange of this.#waiting) if (exchange.edge.isOver) this.#waiting.delete(exchange)
  }
}

function about({ stale, signal, cacheFor }: Context, doNotShare: () => void): FillContext {
  return { stale, signal, cacheFor, doNotShare }
}
