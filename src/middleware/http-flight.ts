import type { Cache } from '../cache/cache.ts'
import type { LoaderContext } from '../cache/loader-context.ts'
import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import { detached, renew } from './background.ts'
import type { Exchange } from './exchange.ts'
import { Fill, FillFailedError, type FillHost } from './fill.ts'
import type { Settings } from './options.ts'
import { DIRECT, replay } from './replay.ts'
import { type Stored, storedCodec } from './stored-codec.ts'
import { StoredResponse } from './stored-response.ts'
import { VaryIndex } from './vary-index.ts'
import { joinedFields } from './vary.ts'

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
  /** Requests for `key` shall not wait for one another for some time. */
  markUnshared(key: string): void
  /** Nobody may join this flight any more. */
  leave(flight: HttpFlight): void
  /** Tells where to offer an exchange that was sent a stale response, when a refill needs one. */
  readonly backgrounds: Map<string, (exchange: Exchange) => void>
}

/** Fills that may come to nothing before a request stops waiting for others and runs its own handler. */
const MAX_ATTEMPTS = 2
/** An index outlives the variants that it leads to; losing it costs one run of the handler. */
const INDEX_LIFETIME = { ttl: 7 * 24 * 60 * 60 * 1000, staleWhileRevalidate: 0, staleIfError: 0 }

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
  /** Sent a stale response by this flight: one of them lends its response to the refill. */
  readonly #servedStale: Exchange[] = []
  #isServingStale = false

  constructor(first: Exchange, host: FlightHost) {
    this.key = first.key
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

  onShare(fill: Fill): void {
    this.#index = this.#indexFor(fill)
    for (const exchange of [...this.#waiting]) this.#route(exchange, fill)
  }

  onUnshared(): void {
    this.#host.markUnshared(this.key)
    this.#host.leave(this)
    for (const exchange of this.#takeWaiting()) this.#host.runAlone(exchange, 'unshared')
  }

  async #load(context: Context): Promise<Stored | undefined> {
    context.signal.addEventListener('abort', () => this.#host.leave(this), { once: true })
    if (await this.#isBackground(context)) return this.#refillInBackground(context)
    const runner = this.#takeWaiting(1)[0]
    if (runner === undefined) throw new FillFailedError('every client has left')
    return this.#run(runner, runner.res, true, context)
  }

  /** Whether the callers have been sent a stale response. Answers at once where there is none to send. */
  #isBackground(context: Context): boolean | Promise<boolean> {
    if (context.background) return true
    const { stale } = context
    const { clock } = this.#host
    if (!(stale instanceof StoredResponse) || !stale.mayServeStale(clock.wallNow())) return false
    // The stale response is on its way to us if the cache serves it; then it is here before the next turn.
    return new Promise((resolve) => clock.setImmediate(() => resolve(this.#isServingStale)))
  }

  async #refillInBackground(context: Context): Promise<Stored | undefined> {
    const runner = await this.#borrow(context.signal)
    if (runner.detachable) return this.#run(runner, detached(runner.req, runner.res, runner.baseline), false, context)
    renew(runner.req, runner.res, runner.baseline)
    return this.#run(runner, runner.res, false, context)
  }

  /** Waits for an exchange whose response is sent and closed, so that it can be written once more. */
  #borrow(signal: AbortSignal): Promise<Exchange> {
    const { backgrounds } = this.#host
    return new Promise<Exchange>((resolve, reject) => {
      const offer = (exchange: Exchange): void => {
        if (exchange.detachable || exchange.res.closed) resolve(exchange)
        else exchange.res.once('close', () => resolve(exchange))
      }
      backgrounds.set(this.key, offer)
      for (const exchange of [...this.#servedStale, ...this.#waiting]) {
        if (this.#servedStale.includes(exchange)) offer(exchange)
      }
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    }).finally(() => backgrounds.delete(this.key))
  }

  async #run(runner: Exchange, res: Exchange['res'], hasClient: boolean, context: Context): Promise<Stored | undefined> {
    const { settings, clock } = this.#host
    const fill = new Fill({ exchange: runner, res, hasClient, context, settings, clock, host: this })
    this.#fill = fill
    try {
      runner.run(res, (error) => fill.fail(error))
    } catch (error) {
      fill.fail(error)
      // Where no framework caught it, it shall end the process as it would without us, not as a rejection of ours.
      process.nextTick(() => {
        throw error
      })
    }
    const response = await fill.result
    return response === undefined ? undefined : this.#keep(response, fill, context)
  }

  /** Puts a response where requests will look for it; returns what belongs at this flight's own key. */
  async #keep(response: StoredResponse, fill: Fill, context: Context): Promise<Stored> {
    const { cache, settings } = this.#host
    const { exchange, storedFor = INDEX_LIFETIME } = fill
    const index = this.#index
    const codec = storedCodec as never
    if (index === undefined) {
      exchange.index?.remember(this.key, settings.maxVariants)
      const isForAll = response.explicit && exchange.keys.own !== exchange.keys.anonymous && this.key === exchange.keys.get
      if (isForAll) await cache.set(exchange.keys.anonymous, response, { codec, ...storedFor }).catch(() => {})
      return response
    }
    const variantKey = index.variantKey(exchange.rootKey, exchange.req.headers)
    await cache.set(variantKey, response, { codec, ...storedFor }).catch(() => {})
    if (this.key === exchange.rootKey) {
      context.cacheFor(INDEX_LIFETIME)
      return index
    }
    await cache.set(exchange.rootKey, index, { codec, ...INDEX_LIFETIME }).catch(() => {})
    context.doNotStore()
    return response
  }

  /** The index that a response calls for, if none or another one led here. */
  #indexFor(fill: Fill): VaryIndex | undefined {
    const vary = fill.verdict?.vary ?? []
    const known = fill.exchange.index
    if (known === undefined) return vary.length === 0 ? undefined : new VaryIndex(this.#host.random.token(), vary)
    const missing = vary.some((name) => !known.fields.includes(name))
    const fields = missing ? joinedFields(known.fields, vary) : undefined
    return fields === undefined ? undefined : new VaryIndex(known.generation, fields)
  }

  /** Lets a waiting exchange follow the fill, or sends it to the variant that it selects. */
  #route(exchange: Exchange, fill: Fill): void {
    const index = this.#index
    if (index !== undefined) {
      const own = index.variantKey(exchange.rootKey, exchange.req.headers)
      if (own !== index.variantKey(exchange.rootKey, fill.exchange.req.headers)) {
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
    if (value instanceof StoredResponse && this.#isUsable(value, now)) {
      this.#fill?.answerWith(value)
      this.#isServingStale = value.freshFor(now) <= 0
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
    if (!stored.isSelectedBy(exchange.req.headers)) {
      this.#tryAgain(exchange)
      return
    }
    const { backgrounds } = this.#host
    if (this.#isServingStale) {
      this.#servedStale.push(exchange)
      backgrounds.get(this.key)?.(exchange)
    }
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

  #giveUp(_error: unknown): void {
    this.#host.leave(this)
    this.#fill?.giveHandlersAnswer()
    for (const exchange of this.#takeWaiting()) this.#tryAgain(exchange)
  }

  #tryAgain(exchange: Exchange): void {
    if (++exchange.attempts < MAX_ATTEMPTS) this.#host.enter(exchange)
    else this.#host.runAlone(exchange, 'gave-up')
  }

  /** Those who wait and whose clients are still there, at most `most` of them; they wait no longer. */
  #takeWaiting(most = Number.POSITIVE_INFINITY): Exchange[] {
    for (const exchange of this.#fill?.takeUnbegun() ?? []) this.#waiting.add(exchange)
    const taken: Exchange[] = []
    for (const exchange of this.#waiting) {
      if (taken.length >= most) break
      this.#waiting.delete(exchange)
      if (!exchange.isOver) taken.push(exchange)
    }
    return taken
  }
}
