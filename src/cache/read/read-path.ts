import { reasonOf } from '../../abort.ts'
import { RefillFailedError, type ClosedError, type ReentrantRefillError } from '../../errors.ts'
import type { Collector, Flight } from '../../flight/flight.ts'
import type { CacheCore } from '../core.ts'
import { isDueEarly } from '../local/lifetime.ts'
import type { MemoryEntry } from '../local/memory-entry.ts'
import { loadAlone, type Brought } from '../refill/load-alone.ts'
import { settingsOf } from '../options.ts'
import type { Loader } from '../refill/loader-context.ts'
import type { Call, RefillOrder } from '../refill/call.ts'
import { BatchedRefill } from '../refill/batched-refill.ts'
import { Refill } from '../refill/refill.ts'
import { PlainReadAhead } from './first-look.ts'

/** If a loader seems to wait for itself, its flight gets this many ms to end before that counts as certain. */
const CIRCLE_GRACE = 500

/** From a key to its value: memory, then the flight under way, then a new one. */
export class ReadPath {
  readonly #core: CacheCore
  readonly #looks: PlainReadAhead | undefined

  constructor(core: CacheCore) {
    this.#core = core
    if (core.redis === undefined) return
    this.#looks = new PlainReadAhead(core, core.redis)
    core.local.watchOver(this.#looks)
  }

  /**
   * The answer to a caller without options while a flight is under way: the stale value of memory, or without an entry the
   * result of the flight. In a herd, all callers of a process but the first come this way, a thousand in one turn of the
   * event loop. `undefined` if the case is more complex.
   */
  follow<V>(key: string, loader: Loader<V>): Promise<V> | undefined {
    const { local, reentrance, events, limit } = this.#core
    const flight = local.flights.joinable<V>(key)
    if (flight === undefined || typeof loader !== 'function' || reentrance.isInLoader) return undefined
    if (limit?.isInLoader) return undefined
    const entry = local.memory?.get<V>(key)
    if (entry === undefined) {
      events.coalesced(key)
      return flight.join(loader satisfies Brought<V>, undefined)
    }
    const { options, clock } = this.#core
    if (options.softTimeout > 0 || local.passesUntil(key) > 0) return undefined
    if (!this.#isUsableStale(entry, clock.coarseNow(), local.backOff.until(key))) return undefined
    events.stale(key, 'memory')
    return entry.readLater()
  }

  resolve<V>(call: Call<V>): Promise<V> {
    const { key, loader, settings } = call
    const { local } = this.#core
    if (settings.forceFresh) return this.#force(call)
    const now = this.#core.clock.coarseNow()
    const entry = local.memory?.get<V>(key)
    if (entry !== undefined && local.isFresh(entry, now)) return this.#answerFresh(entry, call)
    if (now < local.passesUntil(key)) {
      this.#core.events.miss(key)
      const result = loadAlone(this.#core, key, loader, settings)
      call.batch?.decided(key)
      return result
    }
    const isStale = entry !== undefined && this.#isUsableStale(entry, now, local.backOff.until(key))
    return isStale ? this.#answerStale(entry, call) : this.#joinOrStart(call)
  }

  /** One of the keys of a batch: `answers` gets the answer for that place, usually without a promise. */
  resolveFor<V>(answers: Collector<V>, place: number, call: Call<V>): void {
    if (!this.#isCold(call)) return answers.add(place, this.resolve(call))
    const { flight, refill } = this.#start(call)
    flight.joinFor(answers, place, refill satisfies Brought<V>)
  }

  /** Whether nothing at all is known of the key, and this call needs nothing that only a promise can give. */
  #isCold<V>({ key, settings }: Call<V>): boolean {
    const { local, reentrance, limit } = this.#core
    if (settings.forceFresh || settings.signal !== undefined) return false
    if (reentrance.isInLoader || limit !== undefined) return false
    if (local.memory?.peek(key) !== undefined || local.passesUntil(key) > 0) return false
    if (local.failureOf(key) !== undefined || local.flights.underWay(key) !== undefined) return false
    return this.#looks?.flightOf(key) === undefined
  }

  #answerFresh<V>(entry: MemoryEntry<V>, call: Call<V>): Promise<V> {
    const { key, batch } = call
    const { options, local, random } = this.#core
    const isDue = options.beta > 0 && isDueEarly(entry, options.beta, this.#core.clock.now(), random.uniform())
    if (isDue && local.flights.underWay(key) === undefined) {
      this.#start({ ...call, background: true, freshBeyond: entry.freshUntil })
    } else {
      batch?.decided(key)
    }
    this.#core.events.hitInMemory(key)
    return entry.readLater()
  }

  /** Serves a stale value at once, or after `softTimeout`, and makes sure that it is refilled. */
  #answerStale<V>(entry: MemoryEntry<V>, call: Call<V>): Promise<V> {
    const { key, settings, batch } = call
    const { local } = this.#core
    const mayRetry = this.#core.clock.now() >= local.backOff.until(key)
    if (mayRetry && settings.softTimeout > 0) {
      return this.#freshInTime(entry, call, this.#joinOrStart(call))
    }
    if (mayRetry && local.flights.underWay(key) === undefined) {
      this.#start({ ...call, background: true })
    } else {
      batch?.decided(key)
    }
    this.#core.events.stale(key, 'memory')
    return entry.readLater()
  }

  #freshInTime<V>(entry: MemoryEntry<V>, { key, settings }: Call<V>, fresh: Promise<V>): Promise<V> {
    const { softTimeout, signal } = settings
    const { clock, events, local } = this.#core
    return new Promise((resolve, reject) => {
      const takeStale = (): void => {
        events.stale(key, 'memory')
        resolve(entry.readLater())
      }
      const timer = clock.setTimeout(() => {
        local.flights.joinable(key)?.keep() // from now on it is a background refill: this caller's signal must not end it
        takeStale()
      }, softTimeout)
      fresh
        .then(resolve, () => (signal?.aborted ? reject(reasonOf(signal)) : takeStale()))
        .finally(() => timer.cancel())
    })
  }

  #joinOrStart<V>(call: Call<V>): Promise<V> {
    const { key, loader, settings, batch } = call
    const { local, events } = this.#core
    const current = this.joinable<V>(key)
    if (current === undefined) {
      const offered = settings.softTimeout === 0 ? local.flights.underWay<V>(key)?.takeOffer() : undefined
      if (offered !== undefined) {
        batch?.decided(key)
        events.stale(key, 'redis')
        return Promise.resolve(offered)
      }
      const failure = local.failureOf(key)
      if (failure !== undefined) {
        batch?.decided(key)
        return Promise.reject(new RefillFailedError(key, failure.value))
      }
      if (batch === undefined && this.#looks?.isWorthwhile(settings)) return this.#looks.look(key, loader, settings)
      const { flight, refill } = this.#start(call)
      return this.join(flight, settings.signal, refill)
    }
    return this.#joinCurrent(current, call)
  }

  /** Neither a stored value nor a load that has begun is an answer. Joins a load that has not begun, or loads. */
  #force<V>(call: Call<V>): Promise<V> {
    const current = this.#core.local.flights.joinableForced<V>(call.key)
    if (current !== undefined) return this.#joinCurrent(current, call)
    const { flight, refill } = this.#start(call)
    return this.join(flight, call.settings.signal, refill)
  }

  #joinCurrent<V>(flight: Flight<V>, call: Call<V>): Promise<V> {
    const { key, loader, settings, batch } = call
    batch?.decided(key)
    this.#core.events.coalesced(key)
    return this.join(flight, settings.signal, {
      alone: () => loadAlone(this.#core, key, loader, settings),
      again: () => this.resolve(call),
    })
  }

  /** The flight of the key that a caller may join. */
  joinable<V>(key: string): Flight<V> | undefined {
    return this.#core.local.flights.joinable<V>(key) ?? this.#looks?.flightOf<V>(key)
  }

  join<V>(flight: Flight<V>, signal: AbortSignal | undefined, brought: Brought<V>): Promise<V> {
    const { reentrance, limit } = this.#core
    limit?.noteWaiter(flight)
    if (!reentrance.isInLoader) return flight.join(brought, signal)
    const join = (): Promise<V> => flight.join(brought, signal)
    return reentrance.enter(flight, join, (circle) => this.#joinInTime(join(), circle))
  }

  /** A loader seems to wait for itself. If it does not, the flight still ends in time. */
  #joinInTime<V>(joined: Promise<V>, circle: ReentrantRefillError): Promise<V> {
    return new Promise((resolve, reject) => {
      const timer = this.#core.clock.setTimeout(() => reject(circle), CIRCLE_GRACE)
      joined.then(resolve, reject).finally(() => timer.cancel())
    })
  }

  /** Asks again for a caller whose flight was abandoned, with what it brought. */
  again<V>(key: string, brought: Brought<V>): V | Promise<V> {
    if (typeof brought !== 'function') return brought.again?.() as V
    const settings = settingsOf<V>(undefined, this.#core.options)
    return this.resolve({ key, loader: brought, settings, batch: undefined })
  }

  /** Begins a refill that nobody has joined yet. */
  lead<V>(order: RefillOrder<V>): Flight<V> {
    return this.#start(order).flight
  }

  /** The stale value of memory that may be served. */
  staleInMemory<V>(key: string): MemoryEntry<V> | undefined {
    const { local, clock } = this.#core
    const entry = local.memory?.get<V>(key)
    const isUsable = entry !== undefined && this.#isUsableStale(entry, clock.coarseNow(), local.backOff.until(key))
    return isUsable ? entry : undefined
  }

  /** Aborts and rejects everything under way. Resolves when the last flight has ended. */
  async close(error: ClosedError): Promise<void> {
    this.#looks?.close(error)
    await this.#core.local.flights.abortAll(error)
  }

  #start<V>(order: RefillOrder<V>): { flight: Flight<V>; refill: Refill<V> | BatchedRefill<V> } {
    const { key, settings } = order
    const { local, reentrance } = this.#core
    if (settings.forceFresh) {
      reentrance.refuseInside(key)
      local.overtake(key)
    }
    const flight = settings.forceFresh ? local.flights.startForced<V>(key) : local.flights.start<V>(key)
    if (order.background === true) flight.keep()
    else this.#core.limit?.noteWaiter(flight) // its claim must know
    const refill = BatchedRefill.of(this.#core, order, flight) ?? new Refill(this.#core, order, flight)
    refill.run()
    return { flight, refill }
  }

  /** Whether a value past its ttl may be served: within its window, or after a failure if there is nothing better. */
  #isUsableStale(entry: MemoryEntry, now: number, retryAt: number): boolean {
    if (now < entry.freshUntil || !this.#core.local.isTrusted(entry, now)) return false // Redis knows more
    return now < entry.staleUntil || (now < entry.errorUntil && now < retryAt)
  }
}
