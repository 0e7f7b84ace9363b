import type { Cache } from '../../cache/cache.ts'
import { insideOf, type Outcomes } from '../../cache/watch/inside.ts'
import type { Clock } from '../../clock.ts'
import type { Random } from '../../random.ts'
import { FillBudget } from '../fill/fill-budget.ts'
import type { FillSurroundings } from '../fill/fill-parts.ts'
import { cacheStatusForward } from '../rules/cache-status.ts'
import { FieldMap } from '../rules/fields.ts'
import { judge } from '../rules/storable.ts'
import type { Exchange } from './exchange.ts'
import { type FlightHost, type FlightRules, HttpFlight } from './http-flight.ts'
import { ResponseDonors } from './response-donors.ts'
import type { StoredResponse } from '../stored/stored-response.ts'
import { UnsharedMarks } from './unshared-marks.ts'
import { validate } from './validation.ts'

/** The flights of one middleware by key, and the keys for which there shall be none. */
export class HttpFlights implements FlightHost {
  readonly cache: Cache
  readonly rules: FlightRules
  readonly clock: Clock
  readonly random: Random
  readonly donors: ResponseDonors
  readonly surroundings: FillSurroundings
  readonly #flights = new Map<string, HttpFlight>()
  readonly #stale = new Map<string, StoredResponse>()
  readonly #marks: UnsharedMarks
  readonly #outcomes: Outcomes | undefined

  constructor(cache: Cache, rules: FlightRules, clock: Clock, random: Random) {
    this.cache = cache
    this.rules = rules
    this.clock = clock
    this.random = random
    this.donors = new ResponseDonors(clock)
    const { outcomes, loadTimeout } = insideOf(cache)
    this.#outcomes = outcomes
    this.surroundings = { rules, clock, loadTimeout, budget: new FillBudget(rules.maxFillBytes) }
    this.#marks = new UnsharedMarks(rules.unsharedFor, clock)
  }

  /** Sees to it that the exchange gets an answer: from a flight that it joins or starts, or from its own handler. */
  enter(exchange: Exchange): void {
    const { key, keys } = exchange
    if (exchange.edge.isOver) return
    if (this.#marks.has(key)) {
      this.runAlone(exchange, 'unshared')
      return
    }
    if (!exchange.edge.canStandIn && this.donors.areWanted(key)) {
      this.donors.offer(key, exchange)
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
    return stored?.mayServeStale(now) === true && !this.donors.areWanted(key) ? stored : undefined
  }

  beginStale(key: string, stored: StoredResponse): void {
    this.#stale.set(key, stored)
  }

  endStale(key: string): void {
    this.#stale.delete(key)
  }

  /** Only the header is looked at: is this still not for others? */
  runAlone(exchange: Exchange, detail: string): void {
    const { asked, key, reason, edge } = exchange
    if (edge.isOver) return
    edge.runAlone(({ status, fields: flat }) => {
      const fields = new FieldMap(flat)
      const verdict = judge(asked, { status, fields, at: this.clock.wallNow() }, exchange.policy)
      if (verdict.share) this.#marks.remove(key)
      else if (verdict.lasting) this.#marks.add(key)
      const why = verdict.share ? detail : verdict.reason
      return cacheStatusForward({ reason, status, detail: why }, fields.get('cache-status'))
    })
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
