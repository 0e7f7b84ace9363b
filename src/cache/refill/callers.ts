import type { Timer } from '../../clock.ts'
import type { RefillMessage } from '../../diagnostics.ts'
import { ClaimAbandonedError, isInstance } from '../../errors.ts'
import type { Flight } from '../../flight/flight.ts'
import type { Life, ReadEntry } from '../../store/entry.ts'
import type { CacheCore } from '../core.ts'
import { isolateRead, readOf, type Isolated } from '../local/isolation.ts'
import type { MemoryEntry } from '../local/memory-entry.ts'
import type { Tier } from '../watch/stats.ts'
import type { RefillOrder } from './call.ts'
import { toStale, usableUntil, type Stale } from './stale.ts'

/** ms after an unshareable result in which later callers load without waiting (hit-for-pass). */
export const PASS_DURATION = 5000

/**
 * Answers the callers of one flight: with its result, or with what they may have instead. Also decides what later callers
 * find in this process. The refill gets the result, and reports the outcome here.
 */
export class Callers<V> {
  readonly #core: CacheCore
  readonly #order: RefillOrder<V>
  readonly #flight: Flight<V>
  /** The value to replace, as found in memory and then in Redis. A forced call does not accept it as an answer. */
  #stale: Stale<V> | undefined
  #staleTier: Tier = 'memory'
  /** What memory had at the beginning. It is older than any loaded value. */
  readonly replaced: MemoryEntry<V> | undefined
  #softTimer: Timer | undefined
  #missed = false
  /** What subscribers are told at the end. Absent if there are none. */
  message: RefillMessage | undefined
  /** Set if the host waits for the end of the work that goes on after the callers were answered. */
  #onEnd: (() => void) | undefined

  constructor(core: CacheCore, order: RefillOrder<V>, flight: Flight<V>) {
    this.#core = core
    this.#order = order
    this.#flight = flight
    this.#stale = this.replaced = core.local.memory?.get<V>(order.key)
  }

  get stale(): Stale<V> | undefined {
    return this.#stale
  }

  get #offerable(): Stale<V> | undefined {
    return this.#order.settings.forceFresh ? undefined : this.#stale
  }

  /** Notes what subscribers will be told. The last call counts. */
  note(outcome: RefillMessage['outcome'] & string, error?: unknown, loadTime?: number): void {
    const { message } = this
    if (message === undefined) return
    message.outcome = outcome
    if (outcome === 'failed') message.error = error
    if (loadTime !== undefined) message.loadTime = loadTime
  }

  noteMiss(): void {
    if (this.#missed || this.#order.background === true || this.#flight.settled) return
    this.#missed = true
    this.#core.events.miss(this.#order.key)
  }

  /** Answers the callers. A value that is not isolated is shared as it is. */
  settle(isolated: Isolated<V> | undefined, value: V): void {
    this.#order.claimant?.settle(() => (isolated === undefined ? value : readOf(isolated)))
    if (isolated === undefined) this.#flight.settle(value)
    else this.#flight.settle(isolated.value, isolated.copy)
  }

  /**
   * Callers get the stale value while it may be used, else the reason. If there is a stale value, retries back off. Returns
   * whether they got the reason. If the load was abandoned, they ask again.
   */
  fail(reason: unknown): boolean {
    if (isInstance(reason, ClaimAbandonedError)) {
      this.failAll(reason)
      return false
    }
    this.note('failed', reason)
    const now = this.#core.clock.now()
    const { key } = this.#order
    const { memory, backOff } = this.#core.local
    const stale = this.#offerable
    const isForced = this.#order.settings.forceFresh
    if (!isForced && (stale !== undefined || memory?.peek(key) !== undefined)) backOff.failed(key, now)
    if (stale !== undefined && now < usableUntil(stale)) {
      this.#order.claimant?.fail(reason, () => readOf(stale))
      this.#serve(stale)
      return false
    }
    this.#order.claimant?.fail(reason)
    this.#flight.fail(reason)
    return true
  }

  /** Callers get the reason, even if there is a stale value. If the load was abandoned, they ask again. */
  failAll(reason: unknown): void {
    this.note('failed', reason)
    this.#order.claimant?.fail(reason)
    if (isInstance(reason, ClaimAbandonedError)) this.#flight.release('again')
    else this.#flight.fail(reason)
  }

  /** Each caller loads for itself, and so do callers that come within the next seconds. */
  pass(): void {
    const { local, clock } = this.#core
    this.note('passed')
    local.pass(this.#order.key, clock.now() + PASS_DURATION)
    this.#flight.release()
    this.#order.claimant?.release()
  }

  /** The entry found must be replaced although it is fresh. */
  replace(stale: Stale<V>): void {
    this.#flight.keep()
    this.goOnUnattended()
    this.#stale = stale
    this.#staleTier = 'redis'
  }

  /** Notes what Redis has, for the loader to compare with. */
  noteStale(entry: ReadEntry<V>): { stale: Stale<V>; isolated: Isolated<V> | undefined } {
    const isolated = this.#core.events.orReport(() => isolateRead(entry, this.#order.settings.codec))
    const stale = toStale(entry, isolated)
    this.#stale = stale
    this.#staleTier = 'redis'
    return { stale, isolated }
  }

  /** Offers callers a stale value of Redis, requested at `since`, if it may be served while it is refilled. */
  offerStale(entry: ReadEntry<V>, since: number): Stale<V> {
    const { clock, local } = this.#core
    const { key, settings } = this.#order
    const { stale, isolated } = this.noteStale(entry)
    if (isolated !== undefined && local.memory?.get(key) === undefined) this.keep(since, entry, isolated)
    if (clock.now() >= stale.staleUntil) return stale
    this.#flight.keep()
    this.#flight.offer(() => (clock.now() < stale.staleUntil ? readOf(stale) : undefined))
    if (settings.softTimeout === 0) this.#serve(stale)
    else this.#softTimer ??= clock.setTimeout(() => this.#serve(stale), settings.softTimeout)
    return stale
  }

  /** Nothing can be loaded at present: serves a stale value if there is one, even one kept only for failures. */
  makeDo(): void {
    const { clock } = this.#core
    const stale = this.#offerable
    if (stale === undefined || clock.now() >= usableUntil(stale)) return
    this.#flight.keep()
    this.#flight.offer(() => (clock.now() < usableUntil(stale) ? readOf(stale) : undefined))
    this.#serve(stale)
  }

  /** Serves the stale value, because there is nothing better for now. */
  serveStale(stale: Stale<V>): void {
    this.#order.claimant?.settle(() => readOf(stale))
    this.#serve(stale)
  }

  #serve(stale: Stale<V>): void {
    if (this.#flight.settled) return
    if (this.#order.background !== true) this.#core.events.stale(this.#order.key, this.#staleTier)
    this.goOnUnattended()
    this.#flight.settle(stale.value, stale.copy)
  }

  /** Keeps in memory, for later callers, what was requested at `since`, unless the key has changed meanwhile. */
  keep(since: number, life: Life, isolated: Isolated<V>): MemoryEntry<V> | undefined {
    return this.#core.events.orReport(() => this.#core.local.keep(since, this.#order.key, life, isolated))
  }

  /** The callers do not need the work from here on, so the host must not freeze the process yet. */
  goOnUnattended(): void {
    const { waitUntil } = this.#order.settings
    if (waitUntil === undefined || this.#onEnd !== undefined) return
    const work = new Promise<void>((resolve) => (this.#onEnd = resolve))
    this.#core.events.orReport(() => waitUntil(work))
  }

  /** Nothing more is done. */
  end(): void {
    this.#softTimer?.cancel()
    this.#core.local.flights.end(this.#flight)
    this.#onEnd?.()
    this.#order.claimant?.end()
  }
}
