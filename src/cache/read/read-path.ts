import { reasonOf } from '../../abort.ts'
import type { ClosedError } from '../../errors.ts'
import type { Flight } from '../../flight/flight.ts'
import type { CacheCore } from '../core.ts'
import { isDueEarly } from '../local/lifetime.ts'
import { loadAlone, type Brought } from '../refill/load-alone.ts'
import type { Loader } from '../refill/loader-context.ts'
import { FirstLooks } from './first-look.ts'
import type { MemoryEntry } from '../local/memory-entry.ts'
import { Refill, type Call, type RefillOrder } from '../refill/refill.ts'

/** From a key to its value: memory, then the flight under way, then a new one. */
export class ReadPath {
  readonly #core: CacheCore
  readonly #looks: FirstLooks | undefined

  constructor(core: CacheCore) {
    this.#core = core
    this.#looks = core.redis && new FirstLooks(core, core.redis)
  }

  /**
   * The answer to a caller without options while a flight is under way: the stale value of memory, or if there is no entry
   * what the flight will bring. Of a herd in one process all but the first come this way, a thousand in one turn of the
   * event loop. `undefined` where there is more to it.
   */
  follow<V>(key: string, loader: Loader<V>): Promise<V> | undefined {
    const { flights, memory, reentrance, events } = this.#core
    const flight = flights.current<V>(key)
    if (flight === undefined || typeof loader !== 'function' || reentrance.isInLoader) return undefined
    const entry = memory?.get<V>(key)
    if (entry === undefined) {
      events.coalesced(key)
      return flight.join(loader satisfies Brought<V>, undefined)
    }
    const { options, clock, passes, backOff } = this.#core
    if (options.softTimeout > 0 || passes.peek(key) !== undefined) return undefined
    if (!isUsableStale(entry, clock.coarseNow(), backOff.until(key))) return undefined
    events.stale(key, 'memory')
    return entry.readLater()
  }

  resolve<V>(call: Call<V>): Promise<V> {
    const { key, loader, settings } = call
    const now = this.#core.clock.coarseNow()
    const entry = this.#core.memory?.get<V>(key)
    if (entry !== undefined && isFresh(entry, now)) return this.#answerFresh(entry, call)
    const pass = this.#core.passes.get(key)
    if (pass !== undefined && now < pass.until) {
      this.#core.events.miss(key)
      const result = loadAlone(this.#core, key, loader, settings)
      call.onDecided?.()
      return result
    }
    const isStale = entry !== undefined && isUsableStale(entry, now, this.#core.backOff.until(key))
    return isStale ? this.#answerStale(entry, call) : this.#joinOrStart(call)
  }

  #answerFresh<V>(entry: MemoryEntry<V>, call: Call<V>): Promise<V> {
    const { key, onDecided } = call
    const { options, flights, random } = this.#core
    const isDue = options.beta > 0 && isDueEarly(entry, options.beta, this.#core.clock.now(), random.uniform())
    if (isDue && flights.current(key) === undefined) {
      this.#start({ ...call, background: true, freshBeyond: entry.freshUntil })
    } else {
      onDecided?.()
    }
    this.#core.events.hit(key)
    return entry.readLater()
  }

  /** Serves a stale value at once, or after `softTimeout`, and sees to its refill. */
  #answerStale<V>(entry: MemoryEntry<V>, call: Call<V>): Promise<V> {
    const { key, settings, onDecided } = call
    const mayRetry = this.#core.clock.now() >= this.#core.backOff.until(key)
    if (mayRetry && settings.softTimeout > 0) {
      return this.#freshInTime(entry, call, this.#joinOrStart(call))
    }
    if (mayRetry && this.#core.flights.current(key) === undefined) {
      this.#start({ ...call, background: true })
    } else {
      onDecided?.()
    }
    this.#core.events.stale(key, 'memory')
    return entry.readLater()
  }

  #freshInTime<V>(entry: MemoryEntry<V>, { key, settings }: Call<V>, fresh: Promise<V>): Promise<V> {
    const { softTimeout, signal } = settings
    const { clock, events, flights } = this.#core
    return new Promise((resolve, reject) => {
      const takeStale = (): void => {
        events.stale(key, 'memory')
        resolve(entry.readLater())
      }
      const timer = clock.setTimeout(() => {
        flights.current(key)?.keep() // from now on it is a background refill, which this caller's signal must not end
        takeStale()
      }, softTimeout)
      fresh
        .then(resolve, () => (signal?.aborted ? reject(reasonOf(signal)) : takeStale()))
        .finally(() => timer.cancel())
    })
  }

  #joinOrStart<V>(call: Call<V>): Promise<V> {
    const { key, loader, settings, onDecided } = call
    const { flights, reentrance } = this.#core
    const { signal } = settings
    const current = flights.current<V>(key) ?? this.#looks?.flightOf<V>(key)
    if (current === undefined) {
      if (onDecided === undefined && this.#looks?.isWorthwhile(settings)) return this.#looks.look(key, loader, settings)
      const { flight, refill } = this.#start({ ...call, background: false })
      return reentrance.enter(flight, key, () => flight.join(refill, signal))
    }
    onDecided?.()
    this.#core.events.coalesced(key)
    const alone = (): Promise<V> => loadAlone(this.#core, key, loader, settings)
    return reentrance.enter(current, key, () => current.join({ alone }, signal))
  }

  /** Callers of `key` that come from now on join nothing that began before. */
  revoke(key: string): void {
    this.#core.flights.revoke(key)
    this.#looks?.revoke(key)
  }

  revokeTagged(tag: string): void {
    this.#core.flights.revokeTagged(tag)
    this.#looks?.revokeAll() // of what they read the tags are not known yet
  }

  revokeAll(): void {
    this.#core.flights.revokeAll()
    this.#looks?.revokeAll()
  }

  /** Changes may have been missed: nobody keeps what is being read now. */
  outdateAll(): void {
    this.#core.flights.outdateAll()
    this.#looks?.revokeAll()
  }

  /** Aborts and rejects whatever is under way; resolves when the last flight has ended. */
  async close(error: ClosedError): Promise<void> {
    this.#looks?.close(error)
    await this.#core.flights.abortAll(error)
  }

  #start<V>(order: RefillOrder<V>): { flight: Flight<V>; refill: Refill<V> } {
    const flight = this.#core.flights.start<V>(order.key, order.settings.tags)
    if (order.background) flight.keep()
    const refill = new Refill(this.#core, order, flight)
    refill.run()
    return { flight, refill }
  }
}

/** Whether memory may answer: neither the entry's ttl nor memory's own is over. */
export function isFresh(entry: MemoryEntry, now: number): boolean {
  return now < entry.freshUntil && now < entry.memoryUntil
}

/** Whether a value that is past its ttl may be served: within its window, or for want of a better one after a failure. */
function isUsableStale(entry: MemoryEntry, now: number, retryAt: number): boolean {
  if (now < entry.freshUntil) return false // only memory's own ttl is over: Redis knows more
  return now < entry.staleUntil || (now < entry.errorUntil && now < retryAt)
}
