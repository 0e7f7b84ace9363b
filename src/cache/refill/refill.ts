import { hostname } from 'node:os'
import { inspect } from 'node:util'
import { onAbort, reasonOf } from '../../abort.ts'
import type { Timer } from '../../clock.ts'
import { refillChannel, type RefillMessage } from '../../diagnostics.ts'
import { RefillFailedError, WaitTimeoutError } from '../../errors.ts'
import type { Flight } from '../../flight/flight.ts'
import { readable } from '../../redis/entry-keys.ts'
import type { Entry } from '../../store/entry.ts'
import type { Notice, RemoteFailure } from '../../store/notice.ts'
import type { Busy, Claim } from '../../store/redis-store.ts'
import type { CacheCore } from '../core.ts'
import { localLease, type Lease } from '../shared/lease.ts'
import { instantsOf, isDueEarly, storingOf } from '../local/lifetime.ts'
import { loadAlone } from './load-alone.ts'
import { LoadRecord, type Loader } from './loader-context.ts'
import { isolate, type Isolated } from '../local/memory.ts'
import type { CallSettings } from '../options.ts'
import type { RedisTier } from '../shared/tier.ts'
import { isAbandoned, runLoader } from './run-loader.ts'
import type { Tier } from '../watch/stats.ts'
import { traceRefill } from './trace-refill.ts'

/** ms for which an unshareable result lets those who follow load without waiting (hit-for-pass). */
const PASS_DURATION = 5000

/** One caller's question. */
export interface Call<V> {
  readonly key: string
  readonly loader: Loader<V>
  readonly settings: CallSettings<V>
  /** Called once it is known whether the loader is run for this call, or has been. */
  readonly onDecided: (() => void) | undefined
}

/** What is to be refilled, and how. */
export interface RefillOrder<V> extends Call<V> {
  /** The callers have been served already: nobody waits for this. */
  readonly background: boolean
  /** What is fresh no longer than this instant is to be refilled all the same. */
  readonly freshBeyond?: number
}

/** Brings one flight to its end: by what Redis holds, by another process's refill, or by running the loader. */
export class Refill<V> {
  readonly #core: CacheCore
  readonly #order: RefillOrder<V>
  readonly #flight: Flight<V>
  #freshBeyond: number | undefined
  /** The value to be replaced, as found in memory and then in Redis. */
  #stale: Entry<V> | undefined
  #staleTier: Tier = 'memory'
  /** The result of this refill's own loader, once that runs. */
  #loaded: Promise<V> | undefined
  #softTimer: Timer | undefined
  #missed = false
  /** ms spent waiting for another process, if it had to. */
  #waited: number | undefined
  /** What subscribers are told at the end; absent where there are none. */
  #message: RefillMessage | undefined

  constructor(core: CacheCore, order: RefillOrder<V>, flight: Flight<V>) {
    this.#core = core
    this.#order = order
    this.#flight = flight
    this.#freshBeyond = order.freshBeyond
    this.#stale = core.memory?.get<V>(order.key)
  }

  /** Begins, in the background once the callers are away; the flight carries the outcome. */
  run(): void {
    if (this.#order.background) void this.#callersAreAway().then(() => this.#run())
    else this.#run()
  }

  #run(): void {
    if (!refillChannel.hasSubscribers) return void this.#begin()
    traceRefill(this.#core.options, this.#order, (message) => {
      this.#message = message
      return this.#begin()
    })
  }

  /** Resolves at the end; never rejects. */
  #begin(): Promise<void> {
    const { redis } = this.#core
    if (redis === undefined) return this.#untilEnd(() => this.#load(localLease))
    return redis.claim(this.#order.key, this.#order.settings.codec, this.#freshBeyond).then((claim) => {
      // A hit in Redis ends here: that path should cost little more than the question.
      if (claim.state !== 'fresh' || !this.#adopt(claim.entry, 'redis')) {
        return this.#untilEnd(() => this.#follow(redis, claim))
      }
      this.#end()
      return undefined
    })
  }

  async #untilEnd(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#note('failed', error)
      this.#flight.fail(error)
    } finally {
      this.#end()
    }
  }

  #end(): void {
    this.#order.onDecided?.()
    this.#softTimer?.cancel()
    const { events, flights } = this.#core
    if (this.#waited !== undefined) events.waited(this.#waited)
    flights.end(this.#flight)
  }

  /** What the leader's caller gets when the flight is released: what its loader already makes, if it runs. */
  alone(): Promise<V> {
    const { key, loader, settings } = this.#order
    const loaded = this.#loaded
    if (loaded === undefined) return loadAlone(this.#core, key, loader, settings)
    // Nobody else has an interest in it now.
    const { signal } = settings
    const stop = signal && onAbort(signal, () => this.#flight.abort(reasonOf(signal)))
    return stop === undefined ? loaded : loaded.finally(stop)
  }

  /** With Redis: until the flight is at its end, load if the lease is ours, else wait to be told and claim again. */
  async #follow(redis: RedisTier, first: Claim<V>): Promise<void> {
    const { key, settings } = this.#order
    const waitUntil = this.#core.clock.now() + settings.waitTimeout
    let claim = first
    for (; !this.#flight.aborted; claim = await redis.claim(key, settings.codec, this.#freshBeyond)) {
      if (claim.state === 'fresh') {
        if (claim !== first && this.#adopt(claim.entry, 'redis')) return
      } else if (claim.state === 'leased') {
        return this.#lead(redis.lease(key, claim.possessions), claim.stale)
      } else if (claim.state === 'busy') {
        if (await this.#waitWhileBusy(redis, claim, waitUntil)) return
      } else {
        return claim.state === 'pass' ? this.#pass() : this.#load(localLease)
      }
    }
    this.#note('failed', this.#flight.signal.reason)
    this.#flight.fail(this.#flight.signal.reason)
    if (claim.state === 'leased') await redis.lease(key, claim.possessions).abandon() // nobody wants it any more
  }

  async #lead(lease: Lease, stale: Entry<V> | undefined): Promise<void> {
    if (stale !== undefined) {
      this.#offerStale(stale)
      const now = this.#core.clock.now()
      if (now < this.#core.backOff.until(this.#order.key) && now < usableUntil(stale)) {
        this.#serveStale(stale)
        await lease.abandon()
        return
      }
    }
    if (this.#flight.settled) await this.#callersAreAway()
    await this.#load(lease)
  }

  /**
   * Those who are served already go first, of a herd all that ask in this turn: a claim takes time that only the refill
   * needs, and while a loader runs, every promise of the process costs more.
   */
  #callersAreAway(): Promise<void> {
    return new Promise((resolve) => this.#core.clock.setImmediate(resolve))
  }

  /** Someone else refills. Resolves with whether the flight is at its end; else it is time to claim again. */
  async #waitWhileBusy(redis: RedisTier, claim: Busy<V>, waitUntil: number): Promise<boolean> {
    const { clock } = this.#core
    this.#order.onDecided?.()
    if (claim.stale !== undefined) this.#offerStale(claim.stale)
    this.#noteMiss()
    const startedAt = clock.now()
    const notice = await this.#nextNotice(redis, claim, waitUntil - startedAt)
    this.#waited = (this.#waited ?? 0) + clock.now() - startedAt
    if (notice !== undefined && notice.kind !== 'again') {
      this.#accept(notice)
      return true
    }
    if (clock.now() < waitUntil) return false
    await this.#giveUpWaiting()
    return true
  }

  async #nextNotice(redis: RedisTier, claim: Busy<V>, ms: number): Promise<Notice<V> | undefined> {
    const { key, settings } = this.#order
    const { signal } = this.#flight
    if (signal.aborted) return undefined
    const { mailbox, close } = redis.openMailbox(key, settings.codec, claim)
    const stopWatching = onAbort(signal, mailbox.interrupt)
    try {
      return await redis.waitForNotice(mailbox, claim, ms)
    } finally {
      stopWatching()
      close()
    }
  }

  #accept(notice: Exclude<Notice<V>, { kind: 'again' }>): void {
    if (notice.kind === 'entry') this.#adopt(notice.entry, undefined)
    else if (notice.kind === 'pass') this.#pass()
    else this.#fail(new RefillFailedError(this.#order.key, notice.failure))
  }

  async #giveUpWaiting(): Promise<void> {
    const { key, loader, settings } = this.#order
    if (this.#flight.settled) return
    if (settings.onWaitTimeout === 'throw') {
      this.#fail(new WaitTimeoutError(key, settings.waitTimeout))
    } else {
      this.#flight.settle(await loadAlone(this.#core, key, loader, { ...settings, signal: this.#flight.signal }))
      this.#note('loaded')
    }
  }

  /** Runs the loader as the one whose result is stored. */
  async #load(lease: Lease): Promise<void> {
    const { key, loader, settings, background, onDecided } = this.#order
    const { clock, events, reentrance } = this.#core
    const { signal } = this.#flight
    const abort = (reason: unknown): void => this.#flight.abort(reason)
    this.#noteMiss()
    const record = new LoadRecord<V>(key, signal, this.#stale?.value, background || this.#flight.settled, () => {
      this.#pass()
      void lease.pass(PASS_DURATION)
    })
    lease.onLost((reason) => {
      events.leaseLost(key)
      abort(reason)
    })
    const startedAt = clock.now()
    this.#loaded = reentrance.run(this.#flight, key, () =>
      runLoader(loader, record, settings.loadTimeout, abort, this.#core),
    )
    onDecided?.()
    let value: V
    try {
      value = await this.#loaded
    } catch (reason) {
      events.refillFailed(key, reason, clock.now() - startedAt)
      this.#fail(reason)
      await (isAbandoned(signal) ? lease.abandon() : lease.fail(describeFailure(reason)))
      return
    }
    const loadTime = clock.now() - startedAt
    events.refilled(key, loadTime)
    this.#note('loaded', undefined, loadTime)
    const isolated = this.#isolate(value)
    this.#endSetbacks()
    this.#flight.settle(value)
    if (record.sharing !== 'do-not-share') await this.#store(value, isolated, record, lease, loadTime)
  }

  /** Puts the value where it belongs. The callers have it already. */
  async #store(
    value: V,
    isolated: Isolated<V> | undefined,
    record: LoadRecord<V>,
    lease: Lease,
    loadTime: number,
  ): Promise<void> {
    const { settings } = this.#order
    const { clock, flights, random } = this.#core
    const storing = storingOf(value, settings, record, random.uniform())
    const instants = instantsOf(storing, clock.now())
    const payload = isolated && lease !== localLease ? this.#orReport(isolated.encode) : NO_PAYLOAD
    if (isolated === undefined || payload === undefined) {
      await lease.pass(PASS_DURATION) // what cannot be encoded cannot be shared: others need not wait for one another
    } else if (record.sharing === 'do-not-store' || value === undefined) {
      await lease.deliver(payload)
    } else if ((await lease.commit(payload, storing, loadTime)) !== false && flights.mayKeep(this.#flight)) {
      this.#keep({ value, ...instants, loadTime, tags: storing.tags.map(readable) }, isolated)
    }
  }

  /**
   * Takes over what another process has loaded; `tier`: where it was found, if it was not sent. Answers whether the
   * flight is at its end: an entry that is due early is refilled in the background.
   */
  #adopt(entry: Entry<V>, tier: 'redis' | undefined): boolean {
    const { clock, events, flights, options, random } = this.#core
    const isolated = this.#isolate(entry.value)
    this.#endSetbacks()
    if (isolated !== undefined && flights.mayKeep(this.#flight)) this.#keep(entry, isolated)
    if (tier !== undefined && !this.#flight.settled) events.hitInRedis(this.#order.key)
    this.#note(tier === undefined ? 'received' : 'found')
    this.#flight.settle(entry.value)
    const { beta } = options
    if (tier === undefined || beta === 0 || !isDueEarly(entry, beta, clock.now(), random.uniform())) return true
    this.#flight.keep()
    this.#stale = entry
    this.#staleTier = 'redis'
    this.#freshBeyond = entry.freshUntil
    return false
  }

  #pass(): void {
    this.#note('passed')
    this.#core.passes.set(this.#order.key, { until: this.#core.clock.now() + PASS_DURATION, used: false }, undefined)
    this.#flight.release()
  }

  /** Callers get the reason, or in its place the stale value while that may be used; then retries back off. */
  #fail(reason: unknown): void {
    this.#note('failed', reason)
    const now = this.#core.clock.now()
    const { key } = this.#order
    const stale = this.#stale
    if (stale !== undefined || this.#core.memory?.peek(key) !== undefined) this.#core.backOff.failed(key, now)
    if (stale === undefined || now >= usableUntil(stale)) this.#flight.fail(reason)
    else this.#serveStale(stale)
  }

  /** Lets the callers go with a stale value of Redis that may be served while it is refilled. */
  #offerStale(stale: Entry<V>): void {
    const { clock, memory, flights } = this.#core
    const { key, settings } = this.#order
    this.#stale = stale
    this.#staleTier = 'redis'
    const isolated = this.#isolate(stale.value)
    const isNews = memory?.get(key) === undefined && flights.mayKeep(this.#flight)
    if (isolated !== undefined && isNews) this.#keep(stale, isolated)
    if (clock.now() >= stale.staleUntil) return
    this.#flight.keep()
    if (settings.softTimeout === 0) this.#serveStale(stale)
    else this.#softTimer ??= clock.setTimeout(() => this.#serveStale(stale), settings.softTimeout)
  }

  /** What subscribers will be told; the last word counts. */
  #note(outcome: RefillMessage['outcome'] & string, error?: unknown, loadTime?: number): void {
    if (this.#message === undefined) return
    this.#message.outcome = outcome
    if (outcome === 'failed') this.#message.error = error
    if (loadTime !== undefined) this.#message.loadTime = loadTime
  }

  /** There is a new value, unless the key was revoked meanwhile. */
  #endSetbacks(): void {
    const { backOff, flights } = this.#core
    if (flights.isCurrent(this.#flight)) backOff.forget(this.#order.key)
  }

  #noteMiss(): void {
    if (this.#missed || this.#order.background || this.#flight.settled) return
    this.#missed = true
    this.#core.events.miss(this.#order.key)
  }

  #serveStale(stale: Entry<V>): void {
    if (this.#flight.settled) return
    if (!this.#order.background) this.#core.events.stale(this.#order.key, this.#staleTier)
    this.#flight.settle(stale.value)
  }

  #isolate(value: V): Isolated<V> | undefined {
    return this.#orReport(() => isolate(value, this.#order.settings.codec, this.#core.memory !== undefined))
  }

  #keep(entry: Entry<V>, isolated: Isolated<V>): void {
    const { memory, clock } = this.#core
    this.#orReport(() => memory?.put(this.#order.key, entry, isolated, clock.now()))
  }

  /** What `make` makes, or `undefined` where it throws, which costs no caller an answer. */
  #orReport<T>(make: () => T): T | undefined {
    try {
      return make()
    } catch (error) {
      this.#core.events.report(error)
      return undefined
    }
  }
}

/** Until then it may be served in place of a failure. */
function usableUntil({ staleUntil, errorUntil }: Entry): number {
  return Math.max(staleUntil, errorUntil)
}

const NO_PAYLOAD = new Uint8Array()

function describeFailure(reason: unknown): RemoteFailure {
  const origin = `${hostname()}:${process.pid}`
  if (reason instanceof Error) return { name: reason.name, message: reason.message, origin }
  return { name: typeof reason, message: inspect(reason), origin }
}
