import type { Cache } from '../../cache/cache.ts'
import type { LoaderContext } from '../../cache/refill/loader-context.ts'
import type { Clock } from '../../clock.ts'
import type { Random } from '../../random.ts'
import { detached, renew } from '../node/background.ts'
import type { Exchange } from './exchange.ts'
import { Fill } from '../fill/fill.ts'
import { FillFailedError, type FillHost } from '../fill/fill-host.ts'
import type { Lenders } from './lenders.ts'
import type { Settings } from '../options.ts'
import { DIRECT, replay } from '../answer/replay.ts'
import { type Stored, storedCodec } from '../stored/stored-codec.ts'
import type { KeptFor } from '../rules/kept-for.ts'
import { StoredResponse } from '../stored/stored-response.ts'
import { VaryIndex } from '../stored/vary-index.ts'
import { keepForValidation } from './validation.ts'
import { joinedFields } from '../rules/vary.ts'

type Context = LoaderContext<Stored | undefined>

/** What a flight needs of its surroundings. */
export interface FlightHost {
  readonly cache: Cache
  readonly settings: Settings
  readonly clock: Clock
  readonly random: Random
  /** Looks for an answer once more. */
  enter(exchange: Exchange): void
  /** Runs the exchange's own handler, for it alone. */
  runAlone(exchange: Exchange, detail: string): void
  /** Runs the exchange's own handler to learn whether `stored` is still good, for it alone. */
  validate(exchange: Exchange, stored: StoredResponse): void
  /** Requests for `key` shall not wait for one another for some time. */
  markUnshared(key: string): void
  /** This process refills `key`: until `endStale` requests get `stored` at once. */
  beginStale(key: string, stored: StoredResponse): void
  endStale(key: string): void
  /** Nobody may join this flight any more. */
  leave(flight: HttpFlight): void
  isCurrent(flight: HttpFlight): boolean
  readonly lenders: Lenders
}

/** Fills that may come to nothing before a request stops waiting for others and runs its own handler. */
const MAX_ATTEMPTS = 2
/** ms between, and number of, attempts to get past a flight that has failed and is not gone yet. */
const RETRY_DELAY = 10
const MAX_PATIENCE = 20
/** An index outlives the variants that it leads to; losing it costs one run of the handler. */
const INDEX_LIFETIME: KeptFor = { ttl: 7 * 24 * 60 * 60 * 1000, staleWhileRevalidate: 0, staleIfError: 0, tags: [] }

/** All requests of this process that wait for the response of one key, and how they get it. */
export class HttpFlight implements FillHost {
  readonly key: string
  readonly #host: FlightHost
  /** Those who have neither an answer nor a fill to follow. */
  readonly #waiting = new Set<Exchange>()
  #joined = 0
  #fill: Fill | undefined
  /** Set when the fill's header shows that responses vary otherwise than was known. */
  #index: VaryIndex | undefined
  /** Sent a stored response by this flight: if a refill in the background needs one, it borrows it of them. */
  readonly #answered: Exchange[] = []
  /** GET and HEAD wait for the same fill, but only those with the method of the first can run the handler for it. */
  readonly #ownKey: string
  #isRefilling = false

  constructor(first: Exchange, host: FlightHost) {
    this.key = first.key
    this.#ownKey = first.keys.own
    this.#host = host
    this.#waiting.add(first)
  }

  start(): void {
    const { cache } = this.#host
    cache
      .getOrRefill<Stored | undefined>(this.key, (context) => this.#load(context), { codec: storedCodec as never })
      .then(
        (value) => this.#deliver(value),
        (error: unknown) => this.#giveUp(error),
      )
  }

  /** False: too many wait already. */
  join(exchange: Exchange): boolean {
    if (++this.#joined >= this.#host.settings.maxWaiters) return false
    this.#waiting.add(exchange)
    if (this.#fill?.verdict !== undefined) this.#route(exchange, this.#fill)
    return true
  }

  onShare(): void {
    const fill = this.#fill
    if (fill === undefined) return
    this.#index = this.#indexFor(fill)
    for (const exchange of [...this.#waiting]) this.#route(exchange, fill)
  }

  onUnshared(lasting: boolean): void {
    if (lasting) this.#host.markUnshared(this.key)
    this.#host.leave(this)
    for (const exchange of this.#takeWaiting()) this.#host.runAlone(exchange, 'unshared')
  }

  async #load(context: Context): Promise<Stored | undefined> {
    context.signal.addEventListener('abort', () => this.#host.leave(this), { once: true })
    if (context.background) {
      const work = this.#refillInBackground(context)
      this.#handOver(work.catch(() => {}))
      return work
    }
    const runner = this.#takeRunner()
    if (runner === undefined) throw new FillFailedError('every client has left')
    return this.#run(runner, runner.res, true, context)
  }

  /** To the host, of which a cache that is not ours may know nothing. What it throws fails no refill. */
  #handOver(work: Promise<unknown>): void {
    try {
      this.#host.settings.waitUntil?.(work)
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error))
    }
  }

  async #refillInBackground(context: Context): Promise<Stored | undefined> {
    this.#isRefilling = true
    try {
      const runner = await this.#borrow(context.signal)
      if (!runner.detachable) renew(runner.req, runner.res, runner.baseline)
      const res = runner.detachable ? detached(runner.req, runner.res, runner.baseline) : runner.res
      return await this.#run(runner, res, false, context)
    } finally {
      this.#isRefilling = false
      this.#host.endStale(this.key)
    }
  }

  /** Waits for an exchange whose response is sent and closed, so that it can be written once more. */
  #borrow(signal: AbortSignal): Promise<Exchange> {
    const { lenders } = this.#host
    return new Promise<Exchange>((resolve, reject) => {
      const take = (exchange: Exchange): void => {
        if (exchange.keys.own !== this.#ownKey) return
        if (exchange.detachable || exchange.res.closed) resolve(exchange)
        else exchange.res.once('close', () => resolve(exchange))
      }
      lenders.want(this.key, take)
      for (const exchange of this.#answered) lenders.offer(this.key, exchange)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    }).finally(() => lenders.served(this.key))
  }

  async #run(
    runner: Exchange,
    res: Exchange['res'],
    hasClient: boolean,
    context: Context,
  ): Promise<Stored | undefined> {
    const { settings, clock } = this.#host
    let fill: Fill
    try {
      fill = new Fill({
        ...{ exchange: runner, res, hasClient, forOthers: true, context, settings, clock },
        host: this,
      })
    } catch (error) {
      // A request or response of a kind that we do not understand: its own handler may.
      if (hasClient) this.#host.runAlone(runner, 'gave-up')
      throw error
    }
    this.#fill = fill
    fill.run(res)
    const response = await fill.result
    if (fill.disownsStored) this.#host.cache.invalidate(this.key).catch(() => {})
    if (response === undefined) return undefined
    if (!response.mustValidate) return this.#keep(response, fill, context)
    keepForValidation(this.#host.cache, fill, response)
    return undefined
  }

  /** Puts a response where requests will look for it; returns what belongs at this flight's own key. */
  async #keep(response: StoredResponse, fill: Fill, context: Context): Promise<Stored> {
    const { cache } = this.#host
    const { exchange, keptFor = INDEX_LIFETIME } = fill
    const index = this.#index
    const codec = storedCodec as never
    if (index === undefined) {
      this.#capVariants(exchange.index, this.key)
      // What anybody may have is stored for those who identify themselves and for those who do not.
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
    const { cache, settings } = this.#host
    const oldest = index?.remember(variantKey, settings.maxVariants)
    if (oldest !== undefined) cache.invalidate(oldest).catch(() => {})
  }

  /** The index that a response calls for, if none or another one led here. */
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
      if (this.#isRefilling && value.freshFor(now) <= 0) this.#host.beginStale(this.key, value)
      for (const exchange of this.#takeWaiting()) this.#answer(exchange, value, now)
      return
    }
    this.#fill?.giveHandlersAnswer()
    for (const exchange of this.#takeWaiting()) {
      if (value instanceof VaryIndex) {
        exchange.select(value)
        this.#tryAgain(exchange)
      } else if (value === undefined) this.#host.runAlone(exchange, 'unshared')
      else this.#tryAgain(exchange)
    }
  }

  #answer(exchange: Exchange, stored: StoredResponse, now: number): void {
    if (!stored.isSelectedBy(exchange.headers)) {
      this.#tryAgain(exchange)
      return
    }
    this.#answered.push(exchange)
    this.#host.lenders.offer(this.key, exchange)
    exchange.within(() => replay(exchange.req, exchange.res, stored, stored.hitFields(now), DIRECT))
  }

  /** Fresh by the cache's own clock, or stale where its response allows that. */
  #isUsable(stored: StoredResponse, now: number): boolean {
    return (
      stored.freshFor(now) > 0 ||
      stored.mayServeStale(now) ||
      stored.mayServeOnError(now) ||
      this.#host.cache.peek(this.key) === stored
    )
  }

  #giveUp(error: unknown): void {
    const { clock } = this.#host
    this.#host.leave(this)
    this.#fill?.giveHandlersAnswer()
    for (const exchange of this.#takeWaiting()) {
      // The cache needs a moment to be done with the flight that has failed; until then it hands out the same failure.
      const isSameFailure = exchange.failure === error
      exchange.failure = error
      if (isSameFailure && ++exchange.patience < MAX_PATIENCE)
        clock.setTimeout(() => this.#host.enter(exchange), RETRY_DELAY)
      else clock.setImmediate(() => this.#tryAgain(exchange))
    }
  }

  /** Whether nobody may join any more: what it stores outside its own key could bring back what was invalidated. */
  get #isOver(): boolean {
    return !this.#host.isCurrent(this)
  }

  #tryAgain(exchange: Exchange): void {
    if (++exchange.attempts < MAX_ATTEMPTS) this.#host.enter(exchange)
    else this.#host.runAlone(exchange, 'gave-up')
  }

  #takeRunner(): Exchange | undefined {
    for (const exchange of this.#waiting) {
      if (exchange.keys.own !== this.#ownKey || exchange.isOver) continue
      this.#waiting.delete(exchange)
      return exchange
    }
    return undefined
  }

  /** Those who wait and whose clients are still there; they wait no longer. */
  #takeWaiting(): Exchange[] {
    for (const exchange of this.#fill?.takeUnbegun() ?? []) this.#waiting.add(exchange)
    const taken: Exchange[] = []
    for (const exchange of this.#waiting) {
      this.#waiting.delete(exchange)
      if (!exchange.isOver) taken.push(exchange)
    }
    return taken
  }
}
