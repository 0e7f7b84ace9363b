import { onAbort, reasonOf, throwIfAborted } from '../../abort.ts'
import { ClaimAbandonedError, RefillFailedError } from '../../errors.ts'
import type { Flight } from '../../flight/flight.ts'
import type { BusyClaim, Claim, FreshClaim, LeasedClaim, Refill } from '../claim.ts'
import type { CacheCore } from '../core.ts'
import type { CallSettings, Lifetime } from '../options.ts'
import type { Claimant } from '../refill/call.ts'
import { loadAlone } from '../refill/load-alone.ts'
import type { Loader, LoadRecord } from '../refill/loader-context.ts'
import type { ReadPath } from './read-path.ts'

type Decided<V> = FreshClaim<V> | LeasedClaim<V>

/** What a claim asks for. */
export interface Question<V> {
  readonly key: string
  readonly settings: CallSettings<V>
  /** Gets the token with which another process refills, each time there is another one. */
  readonly onHolder?: (holder: string) => void
}

/**
 * Claims: refills whose loader hands the load out, as an object. To everything else they are ordinary refills, so flights,
 * lease, limit, changes and timeouts work as they do for loaders.
 */
export class Claims {
  readonly #core: CacheCore
  readonly #reads: ReadPath

  constructor(core: CacheCore, reads: ReadPath) {
    this.#core = core
    this.#reads = reads
  }

  async claim<V>(question: Question<V>): Promise<Claim<V>> {
    const { key, settings } = question
    throwIfAborted(settings.signal)
    if (settings.forceFresh) return this.#lead(question)
    const { local, clock, events } = this.#core
    const now = clock.coarseNow()
    const entry = local.memory?.get<V>(key)
    if (entry !== undefined && local.isFresh(entry, now)) {
      events.hitInMemory(key)
      return { state: 'fresh', value: entry.read() }
    }
    if (now < local.passesUntil(key)) {
      events.miss(key)
      return this.#loadAlone(question)
    }
    const stale = this.#reads.staleInMemory<V>(key)
    if (stale !== undefined && now < local.backOff.until(key)) {
      events.stale(key, 'memory')
      return { state: 'fresh', value: stale.read() }
    }
    if (this.#reads.joinable<V>(key) !== undefined) {
      return this.#busy(this.#staleOf(key), () => this.#join(question))
    }
    const failure = local.failureOf(key)
    if (failure !== undefined) throw new RefillFailedError(key, failure.value)
    return this.#lead(question)
  }

  #busy<V>(stale: V | undefined, wait: () => Promise<Decided<V>>): BusyClaim<V> {
    let waiting: Promise<Decided<V>> | undefined
    return { state: 'busy', stale, wait: () => (waiting ??= wait()) }
  }

  /** What may be served while the key is refilled. `flight`: the flight that refills it, if there is one. */
  #staleOf<V>(key: string, flight?: Flight<V>): V | undefined {
    return this.#reads.staleInMemory<V>(key)?.read() ?? flight?.takeOffer()
  }

  /** Claims with a flight of its own, which nobody has joined yet. */
  #lead<V>(question: Question<V>): Promise<Claim<V>> {
    const turn = this.#turnOf(question)
    const { loader } = turn
    const answer = turn.ask()
    const order = { ...question, loader, batch: undefined, claimant: turn }
    turn.watch(this.#reads.lead(order))
    return answer
  }

  /** Waits for the flight under way in this process. */
  async #join<V>(question: Question<V>): Promise<Decided<V>> {
    const { key, settings } = question
    throwIfAborted(settings.signal)
    const flight = this.#reads.joinable<V>(key)
    if (flight === undefined) return this.#waitAnew(question)
    const turn = this.#turnOf(question)
    const answer = turn.ask() as Promise<Decided<V>>
    this.#core.events.coalesced(key)
    const brought = {
      alone: () => loadAlone(this.#core, key, turn.loader, settings),
      again: () => turn.begin(() => this.#waitAnew(question)) as V,
    }
    const joined = this.#reads.join(flight, settings.signal, brought)
    // A flight may answer its waiters with a stale value.
    const isStale = (): boolean => flight.takeOffer() !== undefined
    turn.follow(joined, () => isStale() && turn.begin(() => this.#waitAnew(question)))
    return answer
  }

  /** Loads a value that is not shared. */
  #loadAlone<V>(question: Question<V>): Promise<Decided<V>> {
    const turn = this.#turnOf(question)
    const answer = turn.ask() as Promise<Decided<V>>
    turn.follow(loadAlone(this.#core, question.key, turn.loader, question.settings))
    return answer
  }

  async #waitAnew<V>(question: Question<V>): Promise<Decided<V>> {
    const claim = await this.claim(question)
    return claim.state === 'busy' ? claim.wait() : claim
  }

  #turnOf<V>(question: Question<V>): Turn<V> {
    return new Turn(question, {
      busy: (flight, wait) => this.#busy(this.#staleOf(question.key, flight), wait),
      stale: (flight) => this.#staleOf(question.key, flight),
      alone: () => this.#loadAlone(question),
      anew: () => this.#waitAnew(question),
    })
  }
}

/** How a turn makes its answers. */
interface Answers<V> {
  busy(flight: Flight<V> | undefined, wait: () => Promise<Decided<V>>): BusyClaim<V>
  stale(flight: Flight<V> | undefined): V | undefined
  alone(): Promise<Decided<V>>
  anew(): Promise<Decided<V>>
}

/** One claim, from its question to the end of the refill, if it gets one. */
class Turn<V> implements Claimant<V> {
  readonly #question: Question<V>
  readonly #answers: Answers<V>
  /** Answers the caller that waits. Absent while nobody waits. */
  #answer: ((claim: Claim<V> | Promise<Claim<V>>) => void) | undefined
  /** The answer to the next question. Set by the first outcome that comes while nobody asks. */
  #known: (() => Promise<Decided<V>>) | undefined
  #hasToldBusy = false
  /** Its own flight, if it has one. */
  #flight: Flight<V> | undefined
  #refill: ClaimedRefill<V> | undefined
  #unwatch: (() => void) | undefined

  constructor(question: Question<V>, answers: Answers<V>) {
    this.#question = question
    this.#answers = answers
  }

  ask(): Promise<Claim<V>> {
    const known = this.#known
    return known === undefined ? new Promise((resolve) => (this.#answer = resolve)) : known()
  }

  /** Runs as the loader. If nobody asks any more, it gives the refill back. */
  readonly loader: Loader<V> = (context) => {
    const refill = new ClaimedRefill<V>(context as LoadRecord<V>)
    if (this.#answer === undefined) {
      void refill.abandon()
      this.begin(this.#answers.anew)
    } else {
      const leased: LeasedClaim<V> = { state: 'leased', refill, stale: this.#answers.stale(this.#flight) }
      this.#refill = refill
      this.begin(() => leased)
    }
    return refill.loaded
  }

  /** Answers the current question, or else the next one, with the result of `decide`. */
  begin(decide: () => Decided<V> | Promise<Decided<V>>): void {
    const answer = this.#answer
    const later = async (): Promise<Decided<V>> => decide()
    this.#answer = undefined
    if (answer === undefined) this.#known ??= later
    else answer(later())
  }

  /** Lets its flight go on without callers. When the signal of the claim aborts, the flight ends or is abandoned. */
  watch(flight: Flight<V>): void {
    const { signal } = this.#question.settings
    this.#flight = flight
    flight.keep()
    if (signal === undefined) return
    this.#unwatch = onAbort(signal, () => {
      const reason = reasonOf(signal)
      this.begin(() => Promise.reject(reason))
      if (this.#refill !== undefined) void this.#refill.abandon()
      else if (flight.waiters === 0) flight.execution.abort(reason)
    })
  }

  /** Takes the outcome of a load or of another caller's flight. `isDone`: whether it was already handled otherwise. */
  follow(result: Promise<V>, isDone: () => unknown = () => false): void {
    const settle = (value: V): unknown => isDone() || this.settle(() => value)
    result.then(settle, (reason: unknown) => this.fail(reason)).finally(() => this.end())
  }

  busy(holder?: string): void {
    if (holder !== undefined) this.#question.onHolder?.(holder)
    if (this.#hasToldBusy) return
    this.#hasToldBusy = true
    const answer = this.#answer
    this.#answer = undefined
    answer?.(this.#answers.busy(this.#flight, () => this.ask() as Promise<Decided<V>>))
  }

  settle(read: () => V): void {
    this.begin(() => ({ state: 'fresh', value: read() }))
  }

  fail(reason: unknown, instead?: () => V): void {
    if (this.#refill !== undefined) this.#refill.failure = { reason, instead }
    else if (instead !== undefined) this.settle(instead)
    else this.begin(() => Promise.reject(reason))
  }

  release(): void {
    this.begin(this.#answers.alone)
  }

  end(): void {
    this.#unwatch?.()
    this.#refill?.end()
  }
}

export class ClaimedRefill<V> implements Refill<V> {
  readonly context: LoadRecord<V>
  /** The result of the loader. */
  readonly loaded: Promise<V>
  /** Why others did not get the value, if so, and what callers get instead. Set by the turn. */
  failure: { readonly reason: unknown; readonly instead: (() => V) | undefined } | undefined
  readonly #ended: Promise<void>
  #isDecided = false
  // Set by the constructor.
  end!: () => void
  #resolve!: (value: V | Promise<V>) => void
  #reject!: (reason: unknown) => void

  constructor(record: LoadRecord<V>) {
    this.context = record
    this.loaded = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#ended = new Promise((resolve) => (this.end = resolve))
  }

  readonly settle = (
    value: V | Promise<V>,
    terms?: Lifetime & { tags?: readonly string[] | undefined },
  ): Promise<void> => {
    const settled = this.#settle(value, terms)
    settled.catch(() => {}) // for callers that do not await it
    return settled
  }

  async #settle(value: V | Promise<V>, terms: Parameters<Refill<V>['settle']>[1]): Promise<void> {
    if (terms !== undefined && !this.#isDecided) this.context.cacheFor(terms)
    await this.#decide(() => this.#resolve(value))
    if (this.failure !== undefined) throw this.failure.reason
  }

  readonly fail = (reason: unknown): Promise<void> => this.#decide(() => this.#reject(reason))

  readonly abandon = (): Promise<void> =>
    this.#decide(() => this.context.execution.abort(new ClaimAbandonedError(this.context.fullKey)))

  #decide(act: () => void): Promise<void> {
    if (!this.#isDecided) {
      this.#isDecided = true
      act()
    }
    return this.#ended
  }
}
