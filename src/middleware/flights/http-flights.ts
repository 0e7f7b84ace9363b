import type { Cache } from '../../cache/cache.ts'
import type { PartialSharing } from '../../cache/stream/partial-sharing.ts'
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
import { KeyMarks } from './key-marks.ts'
import { validate } from './validation.ts'

/** The flights of one middleware by key, and the keys that must not have any. */
export class HttpFlights implements FlightHost {
  readonly cache: Cache
  readonly rules: FlightRules
  readonly clock: Clock
  readonly random: Random
  readonly donors: ResponseDonors
  readonly surroundings: FillSurroundings
  readonly partial: PartialSharing
  readonly #flights = new Map<string, HttpFlight>()
  readonly #stale = new Map<string, StoredResponse>()
  /** Keys whose recent responses could not be shared. Requests do not wait to learn that again (hit-for-pass). */
  readonly #unshared: KeyMarks
  /** Keys whose last response was for others although its request had Authorization. */
  readonly #sharedWithAuthorization: KeyMarks
  readonly #outcomes: Outcomes | undefined

  constructor(cache: Cache, rules: FlightRules, clock: Clock, random: Random) {
    this.cache = cache
    this.rules = rules
    this.clock = clock
    this.random = random
    this.donors = new ResponseDonors(clock)
    const { outcomes, loadTimeout, partial } = insideOf(cache)
    this.partial = partial
    this.#outcomes = outcomes
    this.surroundings = { rules, clock, loadTimeout, budget: new FillBudget(rules.maxFillBytes) }
    this.#unshared = new KeyMarks(rules.unsharedFor, clock)
    this.#sharedWithAuthorization = new KeyMarks(Infinity, clock)
  }

  /** Gets the exchange an answer: from a flight that it joins or starts, or from its own handler. */
  enter(exchange: Exchange): void {
    const { key, keys } = exchange
    if (exchange.edge.isOver) return
    if (this.#unshared.has(key)) {
      this.runAlone(exchange, 'unshared')
      return
    }
    if (!exchange.edge.canStandIn && this.donors.areWanted(key)) {
      this.donors.offer(key, exchange)
      return
    }
    // The fill of a GET answers a HEAD too, never the other way round.
    const flight = this.#flights.get(key) ?? (key === keys.own ? this.#flights.get(keys.get) : undefined)
    const mayWait = this.#mayWait(exchange)
    if (flight === undefined) {
      const started = new HttpFlight(exchange, this)
      this.#flights.set(key, started)
      started.start(mayWait)
    } else if (!mayWait && !flight.isShared) this.runAlone(exchange, 'authorization')
    else if (flight.join(exchange)) this.#outcomes?.coalesced(key)
    else this.runAlone(exchange, 'crowded')
  }

  /**
   * Whether a request may wait for another's run before the answer is known to be for others. Answers to requests with
   * Authorization rarely are: such a request waits only if the last answer was, or if an option says so.
   */
  #mayWait({ asked, key }: Exchange): boolean {
    return !asked.authorization || this.rules.waitWithAuthorization || this.#sharedWithAuthorization.has(key)
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

  /** Looks only at the header: is the answer still not for others? */
  runAlone(exchange: Exchange, detail: string): void {
    const { asked, key, reason, edge } = exchange
    if (edge.isOver) return
    edge.runAlone(({ status, fields: flat }) => {
      const fields = new FieldMap(flat)
      const verdict = judge(asked, { status, fields, at: this.clock.wallNow() }, exchange.policy)
      if (verdict.share) this.markShared(exchange)
      else if (verdict.lasting) this.markUnshared(key)
      if (!verdict.share) this.noteUnshared(key, verdict.reason)
      const why = verdict.share ? detail : verdict.reason
      return cacheStatusForward({ reason, status, detail: why }, fields.get('cache-status'))
    })
  }

  validate(exchange: Exchange, stored: StoredResponse): void {
    validate(exchange, stored, this)
  }

  noteUnshared(key: string, reason: string): void {
    this.#outcomes?.unshared(key, reason)
  }

  markUnshared(key: string): void {
    this.#unshared.add(key)
    this.#sharedWithAuthorization.remove(key)
  }

  markShared({ key, asked }: Exchange): void {
    this.#unshared.remove(key)
    if (asked.authorization) this.#sharedWithAuthorization.add(key)
  }

  leave(flight: HttpFlight): void {
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key)
  }

  isCurrent(flight: HttpFlight): boolean {
    return this.#flights.get(flight.key) === flight
  }

  /** Flights under way for these keys began before the change: no request may join them any more. */
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
