import type { Cache } from '../../cache/cache.ts'
import { outcomesOf, type Outcomes } from '../../cache/watch/outcomes.ts'
import type { Clock } from '../../clock.ts'
import type { Random } from '../../random.ts'
import { Alone } from './alone.ts'
import type { Exchange } from './exchange.ts'
import { type FlightHost, HttpFlight } from './http-flight.ts'
import { Lenders } from './lenders.ts'
import type { Settings } from '../options.ts'
import type { StoredResponse } from '../stored/stored-response.ts'
import { UnsharedMarks } from './unshared-marks.ts'
import { validate } from './validation.ts'

/** The flights of one middleware by key, and the keys for which there shall be none. */
export class HttpFlights implements FlightHost {
  readonly cache: Cache
  readonly settings: Settings
  readonly clock: Clock
  readonly random: Random
  readonly lenders: Lenders
  readonly #flights = new Map<string, HttpFlight>()
  readonly #stale = new Map<string, StoredResponse>()
  readonly #marks: UnsharedMarks
  readonly #outcomes: Outcomes | undefined

  constructor(cache: Cache, settings: Settings, clock: Clock, random: Random) {
    this.cache = cache
    this.settings = settings
    this.clock = clock
    this.random = random
    this.lenders = new Lenders(clock)
    this.#outcomes = outcomesOf(cache)
    this.#marks = new UnsharedMarks(settings.unsharedFor, clock)
  }

  /** Sees to it that the exchange gets an answer: from a flight that it joins or starts, or from its own handler. */
  enter(exchange: Exchange): void {
    const { key, keys } = exchange
    if (this.#marks.has(key)) {
      this.runAlone(exchange, 'unshared')
      return
    }
    // The fill of a GET answers a HEAD too; never the other way round.
    const flight = this.#flights.get(key) ?? (key === keys.own ? this.#flights.get(keys.get) : undefined)
    if (flight !== undefined) {
      if (flight.join(exchange)) this.#outcomes?.coalesced(key)
      else this.runAlone(exchange, 'crowded')
      return
    }
    const started = new HttpFlight(exchange, this)
    this.#flights.set(key, started)
    started.start()
  }

  /** The stale response that requests for `key` get while this process refills it. */
  staleOf(key: string, now: number): StoredResponse | undefined {
    const stored = this.#stale.get(key)
    return stored?.mayServeStale(now) === true && !this.lenders.areWanted(key) ? stored : undefined
  }

  beginStale(key: string, stored: StoredResponse): void {
    this.#stale.set(key, stored)
  }

  endStale(key: string): void {
    this.#stale.delete(key)
  }

  runAlone(exchange: Exchange, detail: string): void {
    new Alone(exchange, detail, this.clock, this.#marks).run()
  }

  validate(exchange: Exchange, stored: StoredResponse): void {
    validate(exchange, stored, this)
  }

  markUnshared(key: string): void {
    this.#marks.add(key)
  }

  leave(flight: HttpFlight): void {
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key)
  }

  isCurrent(flight: HttpFlight): boolean {
    return this.#flights.get(flight.key) === flight
  }

  /** What is under way for these keys was asked for before they changed: nobody may join it any more. */
  forget(keys: readonly string[]): void {
    for (const key of keys) {
      this.#flights.delete(key)
      this.#stale.delete(key)
    }
  }

  forgetAll(): void {
    this.#flights.clear()
    this.#stale.clear()
  }
}
