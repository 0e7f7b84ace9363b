import { onAbort, reasonOf } from '../../abort.ts'
import { refillChannel } from '../../diagnostics.ts'
import { RefillFailedError, WaitTimeoutError } from '../../errors.ts'
import type { Flight } from '../../flight/flight.ts'
import type { ReadEntry } from '../../store/entry.ts'
import type { Notice, RemoteFailure } from '../../store/notice.ts'
import type { Busy, Claim, Leased, RememberedFailure } from '../../store/redis-store.ts'
import { NOT_KEPT } from '../../store/storing.ts'
import type { CacheCore } from '../core.ts'
import { isolateLoaded, isolateRead, readOf, unshared, type IsolatedLoad } from '../local/isolation.ts'
import { isDueEarly, tagsOf } from '../local/lifetime.ts'
import { failureTtlOf } from '../options.ts'
import { claimValid, isValid } from '../schema/found-valid.ts'
import { checked } from '../schema/made-valid.ts'
import { localLease, type Lease } from '../shared/lease.ts'
import type { LoadLimit } from '../shared/load-limit.ts'
import type { NoSlot } from '../shared/queueing.ts'
import type { Slot } from '../shared/slot.ts'
import type { RedisTier } from '../shared/tier.ts'
import type { RefillOrder } from './call.ts'
import { Callers, PASS_DURATION } from './callers.ts'
import { describeFailure } from './describe-failure.ts'
import { loadAlone } from './load-alone.ts'
import { LoadRecord } from './loader-context.ts'
import { isAbandonment, runLoader } from './run-loader.ts'
import { asLoaded, toStale, usableUntil } from './stale.ts'
import { storeLoaded } from './store-loaded.ts'
import { traceRefill } from './trace-refill.ts'

/** The share of `waitTimeout` for which a claim may be put off while loads stand in line. */
const MAY_BE_PUT_OFF = 1 / 8

/** Brings one flight to its end: with an entry of Redis, with another process's refill, or by running the loader. */
export class Refill<V> {
  readonly #core: CacheCore
  readonly #order: RefillOrder<V>
  readonly #flight: Flight<V>
  readonly #callers: Callers<V>
  /** Whether its callers accept nothing stored. */
  readonly #isForced: boolean
  #freshBeyond: number | undefined
  /** The number of the last change that was known when the current claim was sent, or the load began. */
  #since = 0
  /** The result of this refill's own loader, once it runs. */
  #loaded: Promise<V> | undefined
  /** Local time until which it may wait for another process or for a slot. Set when it first may have to wait. */
  #waitUntil: number | undefined
  /** Set if somebody waits for the end. */
  #onEnd: (() => void) | undefined
  /** ms spent waiting for another process, if it had to. */
  #waited: number | undefined

  constructor(core: CacheCore, order: RefillOrder<V>, flight: Flight<V>) {
    this.#core = core
    this.#order = order
    this.#flight = flight
    this.#isForced = order.settings.forceFresh
    this.#freshBeyond = this.#isForced ? Infinity : order.freshBeyond
    this.#callers = new Callers(core, order, flight)
  }

  /** Begins. A background refill first lets the callers go on. The flight gets the outcome. */
  run(): void {
    if (this.#order.background !== true) return this.#start()
    this.#callers.goOnUnattended()
    void this.#callersAreAway().then(() => this.#start())
  }

  #start(): void {
    if (!refillChannel.hasSubscribers) return this.#begin()
    traceRefill(this.#core.options, this.#order, (message) => {
      this.#callers.message = message
      const ended = new Promise<void>((resolve) => (this.#onEnd = resolve))
      this.#begin()
      return ended
    })
  }

  /** With thousands at once every promise counts, so the usual paths have few. */
  #begin(): void {
    const { redis } = this.#core
    if (redis === undefined) return this.#untilEnd(() => this.#load(localLease))
    void this.#claim(redis, this.#order.invalidUntil).then((claim) => this.#goOn(redis, claim))
  }

  #goOn(redis: RedisTier, claim: Claim<V>): void {
    if (claim.state === 'fresh' && this.#adopt(claim.entry, 'redis')) return this.#end()
    const isOurs = claim.state === 'leased' && !this.#flight.execution.isAborted
    if (!isOurs || (claim.stale !== undefined && !this.#isForced)) {
      return this.#untilEnd(() => this.#follow(redis, claim))
    }
    if (claim.stale !== undefined) this.#callers.noteStale(claim.stale)
    this.#untilEnd(() => this.#load(this.#leaseOf(redis, claim), claim.stale !== undefined))
  }

  #claim(redis: RedisTier, invalidUntil?: number): Promise<Claim<V>> {
    const { key, settings, batch } = this.#order
    const { limit, local } = this.#core
    this.#since = local.now
    const wantsSlot = limit !== undefined && batch === undefined && !limit.isLent(this.#flight)
    // A loader that waits with a slot in its hand must not be put off.
    const patience = wantsSlot ? settings.waitTimeout * MAY_BE_PUT_OFF : 0
    const claim = (freshBeyond = this.#freshBeyond): Promise<Claim<V>> =>
      redis.claim(key, settings.codec, { freshBeyond, wantsSlot, takesOver: this.#isForced, patience })
    return settings.schema === undefined ? claim() : claimValid(this.#core, key, settings, claim, invalidUntil)
  }

  #leaseOf(redis: RedisTier, { possessions }: Leased<V>): Lease {
    return redis.lease(this.#order.key, possessions, this.#isForced)
  }

  #untilEnd(work: () => Promise<void>): void {
    work().then(this.#end, (error: unknown) => {
      this.#callers.failAll(error)
      this.#end()
    })
  }

  readonly #end = (): void => {
    this.#order.batch?.decided(this.#order.key)
    if (this.#waited !== undefined) this.#core.events.waited(this.#order.key, this.#waited)
    this.#callers.end()
    this.#onEnd?.()
  }

  /** What the leader's caller gets if the flight is released: the result of its loader, if that runs already. */
  alone(): Promise<V> {
    const { key, loader, settings } = this.#order
    const loaded = this.#loaded
    if (loaded === undefined) return loadAlone(this.#core, key, loader, settings)
    // Nobody else wants it now.
    const { signal } = settings
    const stop = signal && onAbort(signal, () => this.#flight.execution.abort(reasonOf(signal)))
    return stop === undefined ? loaded : loaded.finally(stop)
  }

  /** With Redis: loads if the lease is ours, else waits for a notice and claims again, until the flight has ended. */
  async #follow(redis: RedisTier, first: Claim<V>): Promise<void> {
    let claim = first
    for (; !this.#flight.execution.isAborted; claim = await this.#claim(redis)) {
      if (claim.state === 'fresh') {
        if (claim !== first && this.#adopt(claim.entry, 'redis')) return
      } else if (claim.state === 'leased') {
        return this.#lead(this.#leaseOf(redis, claim), claim.stale)
      } else if (claim.state === 'busy') {
        if (await this.#waitWhileBusy(redis, claim)) return
      } else if (claim.state === 'failed') {
        return this.#acceptFailure(claim)
      } else {
        return claim.state === 'pass' ? this.#callers.pass() : this.#load(localLease)
      }
    }
    this.#callers.failAll(this.#flight.execution.reason)
    if (claim.state === 'leased') await this.#leaseOf(redis, claim).abandon() // nobody wants it any more
  }

  #mayWaitUntil(): number {
    return (this.#waitUntil ??= this.#core.clock.now() + this.#order.settings.waitTimeout)
  }

  async #lead(lease: Lease, stale: ReadEntry<V> | undefined): Promise<void> {
    if (stale !== undefined) {
      const usable = this.#callers.offerStale(stale, this.#since)
      const now = this.#core.clock.now()
      if (now < this.#core.local.backOff.until(this.#order.key) && now < usableUntil(usable)) {
        this.#callers.serveStale(usable)
        await lease.abandon()
        return
      }
    }
    if (this.#flight.settled) await this.#callersAreAway()
    return this.#load(lease, stale !== undefined)
  }

  /**
   * Lets callers that already have their answer run first, with the rest of their herd: a claim takes time that only the
   * refill needs, and while a loader runs, every promise of the process costs more.
   */
  #callersAreAway(): Promise<void> {
    return new Promise((resolve) => this.#core.clock.setImmediate(resolve))
  }

  /** Another process refills. Resolves with whether the flight has ended. If not, it is time to claim again. */
  async #waitWhileBusy(redis: RedisTier, claim: Busy<V>): Promise<boolean> {
    const { clock, limit, partial } = this.#core
    const waitUntil = this.#mayWaitUntil()
    this.#order.batch?.decided(this.#order.key)
    if (claim.stale !== undefined) this.#callers.offerStale(claim.stale, this.#since)
    if (limit?.isFull) this.#callers.makeDo() // the holder may itself wait for a slot
    this.#callers.noteMiss()
    this.#order.claimant?.busy(claim.holder)
    const startedAt = clock.now()
    partial?.heldElsewhere(this.#order.key, claim.holder, (ms) => (this.#waitUntil = clock.now() + ms))
    const stopLending = limit?.lendOn(this.#flight, claim.holder)
    const notice = await this.#nextNotice(redis, claim, waitUntil - startedAt)
    stopLending?.()
    this.#waited = (this.#waited ?? 0) + clock.now() - startedAt
    if (notice !== undefined && notice.kind !== 'again') {
      await this.#accept(notice)
      return true
    }
    if (clock.now() < this.#mayWaitUntil()) return false
    await this.#giveUpWaiting()
    return true
  }

  async #nextNotice(redis: RedisTier, claim: Busy<V>, ms: number): Promise<Notice<V> | undefined> {
    const { key, settings } = this.#order
    const { execution } = this.#flight
    if (execution.isAborted) return undefined
    const { mailbox, close } = redis.openMailbox(key, settings.codec, claim)
    execution.onAbort = mailbox.interrupt
    let notice: Notice<V> | undefined
    try {
      notice = await redis.waitForNotice(mailbox, claim, ms, this.#core.limit?.isQueued === true)
    } finally {
      execution.onAbort = undefined
      close()
    }
    if (notice?.kind !== 'entry') return notice
    return (await isValid(this.#core, key, settings, notice.entry.value)) ? notice : undefined
  }

  async #accept(notice: Exclude<Notice<V>, { kind: 'again' }>): Promise<void> {
    if (notice.kind === 'entry') this.#adopt(notice.entry, undefined)
    else if (notice.kind === 'local') await this.#load(localLease)
    else if (notice.kind === 'pass') this.#callers.pass()
    else this.#callers.fail(new RefillFailedError(this.#order.key, notice.failure))
  }

  #acceptFailure({ failure, until, tags }: RememberedFailure): void {
    const { key } = this.#order
    const isTold = this.#callers.fail(new RefillFailedError(key, failure))
    if (isTold) this.#core.local.keepFailure(this.#since, key, failure, { until, tags })
  }

  async #giveUpWaiting(): Promise<void> {
    const { key, loader, settings } = this.#order
    const { limit } = this.#core
    if (this.#flight.settled) return
    if (settings.onWaitTimeout === 'throw') {
      this.#callers.fail(limit?.isFull ? limit.refusal(key) : new WaitTimeoutError(key, settings.waitTimeout))
      return
    }
    const alone = { ...settings, signal: this.#flight.execution.signal, waitTimeout: 0 }
    const value = await loadAlone(this.#core, key, loader, alone, 'do-not-store')
    this.#callers.settle(
      this.#core.events.orReport(() => isolateLoaded(value, settings.codec)),
      value,
    )
    this.#callers.note('loaded')
  }

  /** Loads under the lease, in a slot if loads are limited. `isStored`: the stale value is the one in Redis. */
  #load(lease: Lease, isStored = false): Promise<void> {
    const { limit, local } = this.#core
    if (this.#isForced && (lease === localLease || !isStored)) local.flights.open(this.#flight) // there is nothing better
    return limit === undefined ? this.#run(lease, isStored, undefined) : this.#loadInLimit(limit, lease, isStored)
  }

  async #loadInLimit(limit: LoadLimit, lease: Lease, isStored: boolean): Promise<void> {
    const slot = await this.#slotFor(limit, lease)
    if (typeof slot !== 'string') return this.#run(lease, isStored, slot)
    const { isAborted, reason } = this.#flight.execution
    if (isAborted) this.#callers.failAll(reason)
    else if (slot === 'over') this.#callers.fail(limit.refusal(this.#order.key))
    await lease.abandon()
    const { redis } = this.#core
    if (isAborted || slot === 'over' || redis === undefined) return
    await this.#follow(redis, await this.#claim(redis)) // the lease was lost meanwhile
  }

  async #slotFor(limit: LoadLimit, lease: Lease): Promise<Slot | NoSlot> {
    const { execution } = this.#flight
    if (execution.isAborted) return 'stopped'
    const wanting = {
      flight: this.#flight,
      token: lease.token,
      isLocal: lease === localLease,
      together: this.#order.batch,
      until: this.#mayWaitUntil(),
      onWait: () => {
        this.#callers.makeDo()
        this.#callers.noteMiss()
        this.#order.claimant?.busy()
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
  #run(lease: Lease, isStored: boolean, slot: Slot | undefined): Promise<void> {
    const { key, loader, settings, background = false, batch } = this.#order
    const { clock, events, reentrance, local } = this.#core
    const { execution } = this.#flight
    this.#callers.noteMiss()
    local.flights.begun(this.#flight)
    const { stale } = this.#callers
    const readStale = stale && ((): V => readOf(stale))
    const pass = (): void => {
      this.#callers.pass()
      void lease.pass(PASS_DURATION)
    }
    const inBackground = background || this.#flight.settled
    const record = new LoadRecord<V>(key, execution, readStale, inBackground, pass, this.#flight)
    record.lease = lease
    lease.onLost((reason) => {
      events.leaseLost(key)
      execution.abort(reason)
    })
    const startedAt = clock.now()
    // Under a lease, `#since` stays that of the claim: Redis refuses the result only for changes after it.
    if (lease === localLease) this.#since = local.now
    record.since = this.#since
    const load = (): Promise<V> =>
      runLoader(checked(loader, settings.schema), record, settings.loadTimeout, execution, clock)
    const run = slot === undefined ? load : () => slot.run(load)
    this.#loaded = batch === undefined ? reentrance.run(this.#flight, run) : run()
    batch?.decided(key)
    return this.#loaded.then(
      (value) => this.#ending(lease, () => this.#loadedIt(value, record, lease, startedAt, isStored)),
      (reason: unknown) => this.#ending(lease, () => this.#loadFailed(reason, record, lease, startedAt)),
    )
  }

  /** A lease never outlives its load, however that ends. */
  #ending(lease: Lease, end: () => Promise<unknown> | undefined): Promise<void> | void {
    try {
      return end() as Promise<void> | undefined
    } finally {
      if (!lease.hasEnded) void lease.abandon()
    }
  }

  #loadFailed(reason: unknown, record: LoadRecord<V>, lease: Lease, startedAt: number): Promise<unknown> {
    const { clock, events } = this.#core
    const { settings } = this.#order
    events.refillFailed(this.#order.key, reason, clock.now() - startedAt)
    const isTold = this.#callers.fail(reason)
    const { isAborted, reason: why } = this.#flight.execution
    if (isAborted && isAbandonment(why)) return lease.abandon()
    const isAnswered = this.#isForced && this.#callers.stale !== undefined // other callers are answered by what is stored
    const mayRemember = isTold && !isAnswered && record.sharing === 'share'
    const ttl = mayRemember ? this.#core.events.orReport(() => failureTtlOf(settings.failureTtl, reason)) : undefined
    const failure = describeFailure(reason)
    return ttl ? this.#remember(failure, ttl, record, lease) : lease.fail(failure)
  }

  /** Callers that come within `ttl` ms get the failure. */
  async #remember(failure: RemoteFailure, ttl: number, record: LoadRecord<V>, lease: Lease): Promise<void> {
    const { key, settings } = this.#order
    const { clock, local } = this.#core
    const tags = tagsOf(settings, record)
    const kept = local.keepFailure(this.#since, key, failure, { until: clock.now() + ttl, tags })
    if ((await lease.fail(failure, { ...NOT_KEPT, ttl, tags })) === false) local.drop(key, kept)
  }

  /** Hands on the loader's result, to the callers first. */
  #loadedIt(
    value: V,
    record: LoadRecord<V>,
    lease: Lease,
    startedAt: number,
    isStored: boolean,
  ): Promise<unknown> | undefined {
    const { clock, events } = this.#core
    const loadTime = clock.now() - startedAt
    events.refilled(this.#order.key, loadTime)
    this.#core.limit?.noteLoadTime(loadTime)
    this.#callers.note('loaded', undefined, loadTime)
    if (record.sharing === 'do-not-share') return undefined
    const unchanged = record.isUnchanged(value) ? this.#callers.stale : undefined
    const isolated =
      unchanged === undefined
        ? this.#core.events.orReport(() => this.#isolate(value))
        : asLoaded(unchanged, this.#order.settings.codec)
    this.#core.local.endSetbacks(this.#since, this.#order.key)
    this.#callers.settle(isolated, value)
    const loaded = { value, isolated, record, loadTime, unchanged, isStored, since: this.#since }
    return storeLoaded(this.#core, this.#order, loaded, lease, this.#callers)
  }

  /** Takes over from a `BatchedRefill`: with the result of a claim that was sent when `since` was the last change. */
  resume(redis: RedisTier, claim: Claim<V>, since: number): void {
    this.#since = since
    this.#goOn(redis, claim)
  }

  /** Takes over the failure of a load that began at `startedAt` under that lease. */
  resumeFailed(reason: unknown, lease: Lease, startedAt: number, since: number): void {
    this.#since = since
    const record = new LoadRecord<V>(this.#order.key, this.#flight.execution, undefined, false, () => {}, this.#flight)
    this.#untilEnd(async () => {
      await this.#ending(lease, () => this.#loadFailed(reason, record, lease, startedAt))
    })
  }

  /**
   * Takes over what another process has loaded. `tier`: where it was found, if it was not sent. Returns whether the flight
   * has ended: an entry that is due early is refilled in the background.
   */
  #adopt(entry: ReadEntry<V>, tier: 'redis' | undefined): boolean {
    const { clock, events, options, random, limit } = this.#core
    limit?.noteLoadTime(entry.loadTime)
    const isolated = this.#isForOne
      ? undefined
      : this.#core.events.orReport(() => isolateRead(entry, this.#order.settings.codec))
    this.#core.local.endSetbacks(this.#since, this.#order.key)
    if (isolated !== undefined) this.#callers.keep(this.#since, entry, isolated)
    if (tier !== undefined && !this.#flight.settled) events.hitInRedis(this.#order.key)
    this.#callers.note(tier === undefined ? 'received' : 'found')
    this.#callers.settle(isolated, entry.value)
    const { beta } = options
    if (
      tier === undefined ||
      beta === 0 ||
      this.#order.claimant !== undefined ||
      !isDueEarly(entry, beta, clock.now(), random.uniform())
    )
      return true
    this.#callers.replace(toStale(entry, isolated))
    this.#freshBeyond = entry.freshUntil
    return false
  }

  /** Whether the result goes to one caller, and nowhere else in this process. */
  get #isForOne(): boolean {
    const { claimant } = this.#order
    return this.#core.local.memory === undefined && this.#flight.waiters <= 1 && claimant === undefined
  }

  #isolate(value: V): IsolatedLoad<V> {
    const { codec } = this.#order.settings
    return this.#isForOne ? unshared(value, codec) : isolateLoaded(value, codec)
  }
}
