import { onAbort, reasonOf } from '../../abort.ts'
import { refillChannel } from '../../diagnostics.ts'
import { RefillFailedError, WaitTimeoutError } from '../../errors.ts'
import type { Flight } from '../../flight/flight.ts'
import type { ReadEntry } from '../../store/entry.ts'
import type { Notice } from '../../store/notice.ts'
import type { Busy, Claim, Leased, RememberedFailure } from '../../store/redis-store.ts'
import type { CacheCore } from '../core.ts'
import { isolateLoaded, isolateRead, unshared, type IsolatedLoad } from '../local/isolation.ts'
import { isDueEarly } from '../local/lifetime.ts'
import { claimValid, isValid } from '../schema/found-valid.ts'
import { localLease, type Lease } from '../shared/lease.ts'
import type { LoadLimit } from '../shared/load-limit.ts'
import type { NoSlot } from '../shared/queueing.ts'
import type { Slot } from '../shared/slot.ts'
import type { RedisTier } from '../shared/tier.ts'
import type { RefillOrder } from './call.ts'
import { Callers } from './callers.ts'
import { loadAlone } from './load-alone.ts'
import { OwnLoad, type Leader, type Terms } from './own-load.ts'
import { toStale, usableUntil } from './stale.ts'
import { TOLD_LATER } from './store-loaded.ts'
import { traceRefill } from './trace-refill.ts'

/** The share of `waitTimeout` for which a claim may be put off while loads stand in line. */
const MAY_BE_PUT_OFF = 1 / 16

/** Redis must be asked again. */
const CLAIM_AGAIN: unique symbol = Symbol('claim again')

/** Brings one flight to its end: with an entry of Redis, with another process's refill, or by running the loader. */
export class Refill<V> implements Leader<V> {
  readonly core: CacheCore
  readonly order: RefillOrder<V>
  readonly flight: Flight<V>
  readonly callers: Callers<V>
  /** Whether its callers accept nothing stored. */
  readonly #isForced: boolean
  #freshBeyond: number | undefined
  /** The number of the last change that was known when the current claim was sent, or the load began. */
  #since = 0
  /** Its own load, once it runs. */
  #load: OwnLoad<V> | undefined
  /** Local time until which it may wait for another process or for a slot. Set when it first may have to wait. */
  #waitUntil: number | undefined
  /** Set if somebody waits for the end. */
  #onEnd: (() => void) | undefined
  /** ms spent waiting for another process, if it had to. */
  #waited: number | undefined

  constructor(core: CacheCore, order: RefillOrder<V>, flight: Flight<V>) {
    this.core = core
    this.order = order
    this.flight = flight
    this.#isForced = order.settings.forceFresh
    this.#freshBeyond = this.#isForced ? Infinity : order.freshBeyond
    this.callers = new Callers(core, order, flight)
  }

  /** Begins. A background refill first lets the callers go on. The flight gets the outcome. */
  run(): void {
    if (this.order.background !== true) return this.#start()
    this.callers.goOnUnattended()
    void this.#callersAreAway().then(() => this.#start())
  }

  #start(): void {
    if (!refillChannel.hasSubscribers) return this.#ask()
    traceRefill(this.core.options, this.order, (message) => {
      this.callers.message = message
      const ended = new Promise<void>((resolve) => (this.#onEnd = resolve))
      this.#ask()
      return ended
    })
  }

  /** With thousands at once every promise counts, so the usual paths have few. */
  #ask(): void {
    if (this.core.redis === undefined) return this.#follow(this.#lead(localLease))
    this.#claim(this.order.invalidUntil)
  }

  /** Asks Redis. A promise brings the answer, because what follows belongs to the asynchronous context of the caller. */
  #claim(invalidUntil?: number): void {
    const { key, settings, batch } = this.order
    const { limit, local } = this.core
    const redis = this.core.redis as RedisTier
    this.#since = local.now
    const wantsSlot = limit !== undefined && batch === undefined && !limit.isLent(this.flight)
    // A loader that waits with a slot in its hand must not be put off.
    const patience = wantsSlot ? settings.waitTimeout * MAY_BE_PUT_OFF : 0
    const claim = (freshBeyond = this.#freshBeyond): Promise<Claim<V>> =>
      redis.claim(key, settings.codec, { freshBeyond, wantsSlot, takesOver: this.#isForced, patience })
    const claimed = settings.schema === undefined ? claim() : claimValid(this.core, key, settings, claim, invalidUntil)
    claimed.then(
      (known) => this.#claimed(known),
      (error: unknown) => this.#fail(error),
    )
  }

  #claimed(claim: Claim<V>): void {
    try {
      this.#goOn(claim)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Whatever a step throws ends the flight. */
  #orFail(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** The next step after a claim, until the flight has ended. */
  #goOn(claim: Claim<V>): void {
    const redis = this.core.redis as RedisTier
    if (claim.state === 'fresh' && this.#adopt(claim.entry, 'redis')) return this.#end()
    if (this.flight.execution.isAborted) return this.#follow(this.#giveUp(redis, claim))
    if (claim.state === 'fresh') return this.#claim() // it is due early
    if (claim.state === 'busy') return this.#waitWhileBusy(redis, claim)
    if (claim.state === 'leased') return this.#follow(this.#lead(this.#leaseOf(redis, claim), claim.stale))
    if (claim.state === 'local' || claim.state === 'unavailable') return this.#follow(this.#lead(localLease))
    if (claim.state === 'failed') this.#acceptFailure(claim)
    else this.callers.pass()
    this.#end()
  }

  /** Nobody wants the result any more. */
  async #giveUp(redis: RedisTier, claim: Claim<V>): Promise<void> {
    this.callers.failAll(this.flight.execution.reason)
    if (claim.state === 'leased') await this.#leaseOf(redis, claim).abandon()
  }

  #leaseOf(redis: RedisTier, { possessions }: Leased<V>): Lease {
    return redis.lease(this.order.key, possessions, this.#isForced)
  }

  /** Goes on as a step says: if it says nothing, the flight ends. */
  #follow(way: unknown): void {
    if (way === TOLD_LATER) return
    if (way === CLAIM_AGAIN) return this.#claimAgain()
    if (!(way instanceof Promise)) return this.#end()
    way.then(
      (known: unknown) => this.#follow(known),
      (error: unknown) => this.#fail(error),
    )
  }

  #claimAgain(): void {
    const { isAborted, reason } = this.flight.execution
    if (isAborted) this.#fail(reason)
    else this.#claim()
  }

  #fail(error: unknown): void {
    this.callers.failAll(error)
    this.#end()
  }

  #end(): void {
    this.order.batch?.decided(this.order.key)
    if (this.#waited !== undefined) this.core.events.waited(this.order.key, this.#waited)
    this.callers.end()
    this.#onEnd?.()
  }

  /** What the leader's caller gets if the flight is released: the result of its loader, if that runs already. */
  alone(): Promise<V> {
    const { key, loader, settings } = this.order
    const loaded = this.#load?.unshared
    if (loaded === undefined) return loadAlone(this.core, key, loader, settings)
    // Nobody else wants it now.
    const { signal } = settings
    const stop = signal && onAbort(signal, () => this.flight.execution.abort(reasonOf(signal)))
    return stop === undefined ? loaded : loaded.finally(stop)
  }

  #mayWaitUntil(): number {
    return (this.#waitUntil ??= this.core.clock.now() + this.order.settings.waitTimeout)
  }

  #lead(lease: Lease, stale?: ReadEntry<V>): unknown {
    if (stale === undefined) return this.#begin(lease)
    if (!this.#isForced) return this.#replace(lease, stale)
    this.callers.noteStale(stale)
    return this.#begin(lease, true)
  }

  async #replace(lease: Lease, stale: ReadEntry<V>): Promise<unknown> {
    const usable = this.callers.offerStale(stale, this.#since)
    const now = this.core.clock.now()
    if (now < this.core.local.backOff.until(this.order.key) && now < usableUntil(usable)) {
      this.callers.serveStale(usable)
      return lease.abandon()
    }
    if (this.flight.settled) await this.#callersAreAway()
    return this.#begin(lease, true)
  }

  /**
   * Lets callers that already have their answer run first, with the rest of their herd: a claim takes time that only the
   * refill needs, and while a loader runs, every promise of the process costs more.
   */
  #callersAreAway(): Promise<void> {
    return new Promise((resolve) => this.core.clock.setImmediate(resolve))
  }

  /** Another process refills. */
  #waitWhileBusy(redis: RedisTier, claim: Busy<V>): void {
    const { clock, limit, partial } = this.core
    const { key, settings } = this.order
    const waitUntil = this.#mayWaitUntil()
    this.order.batch?.decided(key)
    if (claim.stale !== undefined) this.callers.offerStale(claim.stale, this.#since)
    if (limit?.isFull) this.callers.makeDo() // the holder may itself wait for a slot
    this.callers.noteMiss()
    this.order.claimant?.busy(claim.holder)
    const startedAt = clock.now()
    partial?.heldElsewhere(key, claim.holder, (ms) => (this.#waitUntil = clock.now() + ms))
    const stopLending = limit?.lendOn(this.flight, claim.holder)
    const wait = redis.newWait<V>()
    this.flight.execution.onAbort = wait.interrupt
    const ms = waitUntil - startedAt
    const noticed = redis.waitFor(wait, key, settings.codec, claim, ms, limit?.isQueued === true)
    void noticed.then((notice) => {
      this.flight.execution.onAbort = undefined
      stopLending?.()
      this.#waited = (this.#waited ?? 0) + clock.now() - startedAt
      this.#orFail(() => this.#noticed(notice))
    })
  }

  /** A wait has ended. */
  #noticed(notice: Notice<V> | undefined): void {
    const isToCheck = notice?.kind === 'entry' && this.order.settings.schema !== undefined
    this.#follow(isToCheck ? this.#check(notice) : this.#accept(notice))
  }

  async #check(notice: Notice<V> & { kind: 'entry' }): Promise<unknown> {
    const { key, settings } = this.order
    const isUsable = await isValid(this.core, key, settings, notice.entry.value)
    return this.#accept(isUsable ? notice : undefined)
  }

  #accept(notice: Notice<V> | undefined): unknown {
    const now = this.core.clock.now()
    if (notice?.kind === 'local') return this.#begin(localLease)
    if (notice?.kind === 'entry') this.#adopt(notice.entry, undefined)
    else if (notice?.kind === 'pass') this.callers.pass()
    else if (notice?.kind === 'failed') this.callers.fail(new RefillFailedError(this.order.key, notice.failure))
    else return now < this.#mayWaitUntil() ? CLAIM_AGAIN : this.#giveUpWaiting()
    return undefined
  }

  #acceptFailure({ failure, until, tags }: RememberedFailure): void {
    const { key } = this.order
    const isTold = this.callers.fail(new RefillFailedError(key, failure))
    if (isTold) this.core.local.keepFailure(this.#since, key, failure, { until, tags })
  }

  async #giveUpWaiting(): Promise<void> {
    const { key, loader, settings } = this.order
    const { limit } = this.core
    if (this.flight.settled) return
    if (settings.onWaitTimeout === 'throw') {
      this.callers.fail(limit?.isFull ? limit.refusal(key) : new WaitTimeoutError(key, settings.waitTimeout))
      return
    }
    const alone = { ...settings, signal: this.flight.execution.signal, waitTimeout: 0 }
    const value = await loadAlone(this.core, key, loader, alone, 'do-not-store')
    this.callers.settle(
      this.core.events.orReport(() => isolateLoaded(value, settings.codec)),
      value,
    )
    this.callers.note('loaded')
  }

  /** Loads under the lease, in a slot if loads are limited. `isStored`: the stale value is the one in Redis. */
  #begin(lease: Lease, isStored = false): unknown {
    const { limit, local } = this.core
    if (this.#isForced && (lease === localLease || !isStored)) local.flights.open(this.flight) // there is nothing better
    return limit === undefined
      ? this.#run({ lease, isStored, since: this.#since })
      : this.#beginInLimit(limit, lease, isStored)
  }

  async #beginInLimit(limit: LoadLimit, lease: Lease, isStored: boolean): Promise<unknown> {
    const slot = await this.#slotFor(limit, lease)
    if (typeof slot !== 'string') return this.#run({ lease, isStored, since: this.#since, slot })
    const { isAborted, reason } = this.flight.execution
    if (isAborted) this.callers.failAll(reason)
    else if (slot === 'over') this.callers.fail(limit.refusal(this.order.key))
    await lease.abandon()
    const { redis } = this.core
    const isLost = !isAborted && slot !== 'over' && redis !== undefined // the lease was, meanwhile
    return isLost ? CLAIM_AGAIN : undefined
  }

  async #slotFor(limit: LoadLimit, lease: Lease): Promise<Slot | NoSlot> {
    const { execution } = this.flight
    if (execution.isAborted) return 'stopped'
    const wanting = {
      flight: this.flight,
      token: lease.token,
      isLocal: lease === localLease,
      together: this.order.batch,
      until: this.#mayWaitUntil(),
      onWait: () => {
        this.callers.makeDo()
        this.callers.noteMiss()
        this.order.claimant?.busy()
      },
    }
    const slot = await limit.slotFor(wanting, (stop) => {
      execution.onAbort = stop
      if (!this.#isForced) lease.onLost(stop) // if forced, a later forced call has it: leave it there
    })
    execution.onAbort = undefined
    return slot
  }

  /** Runs the loader whose result is stored. */
  #run(terms: Terms): unknown {
    this.#load = new OwnLoad(this, terms)
    this.#load.run()
    return TOLD_LATER
  }

  /** Whatever a step throws ends the flight. */
  ended(step: () => unknown): void {
    this.#orFail(() => this.#follow(step()))
  }

  /** Takes over from a `BatchedRefill`: with the result of a claim that was sent when `since` was the last change. */
  resume(claim: Claim<V>, since: number): void {
    this.#since = since
    this.#goOn(claim)
  }

  /** Takes over the failure of a load that began at `startedAt` under that lease. */
  resumeFailed(reason: unknown, lease: Lease, startedAt: number, since: number): void {
    this.#since = since
    new OwnLoad(this, { lease, since }).failedSince(startedAt, reason)
  }

  /**
   * Takes over what another process has loaded. `tier`: where it was found, if it was not sent. Returns whether the flight
   * has ended: an entry that is due early is refilled in the background.
   */
  #adopt(entry: ReadEntry<V>, tier: 'redis' | undefined): boolean {
    const { clock, events, options, random, limit } = this.core
    limit?.noteLoadTime(entry.loadTime)
    const isolated = this.#isForOne
      ? undefined
      : this.core.events.orReport(() => isolateRead(entry, this.order.settings.codec))
    this.core.local.endSetbacks(this.#since, this.order.key)
    if (isolated !== undefined) this.callers.keep(this.#since, entry, isolated)
    if (tier !== undefined && !this.flight.settled) events.hitInRedis(this.order.key)
    this.callers.note(tier === undefined ? 'received' : 'found')
    this.callers.settle(isolated, entry.value)
    const { beta } = options
    if (
      tier === undefined ||
      beta === 0 ||
      this.order.claimant !== undefined ||
      !isDueEarly(entry, beta, clock.now(), random.uniform())
    )
      return true
    this.callers.replace(toStale(entry, isolated))
    this.#freshBeyond = entry.freshUntil
    return false
  }

  /** Whether the result goes to one caller, and nowhere else in this process. */
  get #isForOne(): boolean {
    const { claimant } = this.order
    return this.core.local.memory === undefined && this.flight.waiters <= 1 && claimant === undefined
  }

  isolate(value: V): IsolatedLoad<V> {
    const { codec } = this.order.settings
    return this.#isForOne ? unshared(value, codec) : isolateLoaded(value, codec)
  }
}
