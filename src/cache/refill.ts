import { hostname } from 'node:os'
import { inspect } from 'node:util'
import { onAbort } from '../abort.ts'
import type { Timer } from '../clock.ts'
import { RefillFailedError, WaitTimeoutError } from '../errors.ts'
import type { Flight } from '../flight/flight.ts'
import type { Entry } from '../store/entry.ts'
import type { Claim, Notice, StoredLifetime } from '../store/redis-store.ts'
import type { CacheCore } from './core.ts'
import { loadAlone } from './load-alone.ts'
import { localLease, type Lease } from './lease.ts'
import { LoadRecord, type Loader } from './loader-context.ts'
import { backOff, isolate, type Isolated } from './memory.ts'
import { cap, type CallSettings } from './options.ts'
import type { RedisTier } from './redis-tier.ts'
import { isAbandoned, runLoader } from './run-loader.ts'

/** ms for which an unshareable result lets those who follow load without waiting (hit-for-pass). */
const PASS_DURATION = 5000

/** Brings one flight to its end: by what Redis holds, by another process's refill, or by running the loader. */
export class Refill<V> {
  readonly #core: CacheCore
  readonly #key: string
  readonly #loader: Loader<V>
  readonly #settings: CallSettings<V>
  readonly #flight: Flight<V>
  /** Whether the callers have been served before the flight began. */
  readonly #background: boolean
  /** The value to be replaced, as found in memory and then in Redis. */
  #stale: Entry<V> | undefined
  /** The result of this refill's own loader, once that runs. */
  #loaded: Promise<V> | undefined
  #softTimer: Timer | undefined

  constructor(
    core: CacheCore,
    key: string,
    loader: Loader<V>,
    settings: CallSettings<V>,
    flight: Flight<V>,
    background: boolean,
  ) {
    this.#core = core
    this.#key = key
    this.#loader = loader
    this.#settings = settings
    this.#flight = flight
    this.#background = background
    this.#stale = core.memory?.get<V>(key)
  }

  /** Never rejects: the flight carries the outcome. Resolves when nothing is left to be done. */
  async run(): Promise<void> {
    const { redis, flights } = this.#core
    try {
      await (redis === undefined ? this.#load(localLease) : this.#claimAndWait(redis))
    } catch (error) {
      this.#flight.fail(error)
    } finally {
      this.#softTimer?.cancel()
      flights.end(this.#key, this.#flight)
    }
  }

  /** What the leader's caller gets when the flight is released: what its loader already makes, if it runs. */
  readonly leadersOwn = (): Promise<V> => this.#loaded ?? loadAlone(this.#core, this.#key, this.#loader, this.#settings)

  async #claimAndWait(redis: RedisTier): Promise<void> {
    const { clock } = this.#core
    const { codec, waitTimeout } = this.#settings
    const waitUntil = clock.now() + waitTimeout
    const { mailbox, close } = redis.openMailbox(this.#key, codec)
    const stopWatching = onAbort(this.#flight.signal, mailbox.interrupt)
    try {
      while (!this.#flight.signal.aborted) {
        const claim = await redis.claim(this.#key, codec)
        if (claim === 'unavailable') return await this.#load(localLease)
        if (claim.state === 'leased') return await this.#lead(redis.lease(this.#key, claim.token, claim.sentAt), claim.stale)
        if (this.#accept(claim)) return
        if (claim.state !== 'busy') continue
        const notice = await redis.waitForNotice(mailbox, claim, waitUntil - clock.now())
        if (this.#accept(notice)) return
        if (clock.now() >= waitUntil) return await this.#giveUpWaiting()
      }
      this.#flight.fail(this.#flight.signal.reason)
    } finally {
      stopWatching()
      close()
    }
  }

  /** Takes what a claim or a notice brings; answers whether the flight is at its end. */
  #accept(news: Claim<V> | Notice<V> | undefined): boolean {
    if (news === undefined) return false
    if ('entry' in news) this.#adopt(news.entry)
    else if ('failure' in news) this.#fail(new RefillFailedError(this.#key, news.failure))
    else if (('state' in news && news.state === 'pass') || ('kind' in news && news.kind === 'pass')) this.#pass()
    else {
      if ('stale' in news && news.stale !== undefined) this.#offerStale(news.stale)
      return false
    }
    return true
  }

  async #lead(lease: Lease, stale: Entry<V> | undefined): Promise<void> {
    if (stale !== undefined) this.#offerStale(stale)
    await this.#load(lease)
  }

  /** Runs the loader as the one whose result is stored. */
  async #load(lease: Lease): Promise<void> {
    const { clock, events, reentrance } = this.#core
    const { loadTimeout } = this.#settings
    const abort = (reason: unknown): void => this.#flight.abort(reason)
    const record = new LoadRecord<V>(this.#key, this.#flight.signal, this.#stale?.value, this.#background || this.#flight.settled, () => {
      this.#pass()
      void lease.pass(PASS_DURATION)
    })
    lease.onLost((reason) => {
      events.emit('lease-lost', () => ({ key: this.#key }))
      abort(reason)
    })
    const startedAt = clock.now()
    this.#loaded = reentrance.run(this.#flight, this.#key, () => runLoader(this.#loader, record, loadTimeout, abort, clock))
    let value: V
    try {
      value = await this.#loaded
    } catch (reason) {
      events.emit('refill-failed', () => ({ key: this.#key, error: reason }))
      this.#fail(reason)
      await (isAbandoned(record.signal) ? lease.abandon() : lease.fail(describeFailure(reason)))
      return
    }
    const loadTime = clock.now() - startedAt
    events.emit('refilled', () => ({ key: this.#key, loadTime }))
    const isolated = this.#isolate(value)
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
    const { clock, flights } = this.#core
    const lifetime = this.#lifetimeOf(record)
    const freshUntil = clock.now() + lifetime.ttl
    const staleUntil = freshUntil + lifetime.staleWhileRevalidate
    const errorUntil = freshUntil + lifetime.staleIfError
    const storable = record.sharing === 'share' && value !== undefined
    // What cannot be encoded cannot be handed on: others load for themselves, and not one after another.
    const payload = isolated && lease !== localLease ? this.#orReport(isolated.encode) : undefined
    if (isolated === undefined || (payload === undefined && lease !== localLease)) await lease.pass(PASS_DURATION)
    else if (!storable) await lease.deliver(payload as Uint8Array, lifetime)
    else if ((await lease.commit(payload as Uint8Array, lifetime, loadTime)) !== false) {
      const entry = { value, freshUntil, staleUntil, errorUntil, loadTime }
      if (flights.isCurrent(this.#key, this.#flight)) this.#keep(entry, isolated)
    }
  }

  #lifetimeOf({ lifetime }: LoadRecord<V>): StoredLifetime {
    return {
      ttl: cap(lifetime.ttl ?? this.#settings.ttl),
      staleWhileRevalidate: cap(lifetime.staleWhileRevalidate ?? this.#settings.staleWhileRevalidate),
      staleIfError: cap(lifetime.staleIfError ?? this.#settings.staleIfError),
    }
  }

  /** The result of another process. */
  #adopt(entry: Entry<V>): void {
    const isolated = this.#isolate(entry.value)
    if (isolated !== undefined && this.#core.flights.isCurrent(this.#key, this.#flight)) this.#keep(entry, isolated)
    this.#flight.settle(entry.value)
  }

  #pass(): void {
    this.#core.passes.set(this.#key, { until: this.#core.clock.now() + PASS_DURATION }, undefined)
    this.#flight.release()
  }

  /** Callers get the reason, or in its place the stale value while that may be used; then retries back off. */
  #fail(reason: unknown): void {
    const now = this.#core.clock.now()
    const inMemory = this.#core.memory?.get(this.#key)
    if (inMemory !== undefined) backOff(inMemory, now)
    const stale = this.#stale
    if (stale === undefined || now >= Math.max(stale.staleUntil, stale.errorUntil)) this.#flight.fail(reason)
    else this.#flight.settle(stale.value)
  }

  /** Lets the callers go with a stale value of Redis that may be served while it is refilled. */
  #offerStale(stale: Entry<V>): void {
    const { clock, memory } = this.#core
    this.#stale = stale
    const isolated = this.#isolate(stale.value)
    if (isolated !== undefined && memory?.get(this.#key) === undefined) this.#keep(stale, isolated)
    if (clock.now() >= stale.staleUntil) return
    this.#flight.keep()
    const { softTimeout } = this.#settings
    const serve = (): void => {
      if (this.#flight.settled) return
      this.#core.events.emit('stale', () => ({ key: this.#key }))
      this.#flight.settle(stale.value)
    }
    if (softTimeout === 0) serve()
    else this.#softTimer ??= clock.setTimeout(serve, softTimeout)
  }

  async #giveUpWaiting(): Promise<void> {
    const { waitTimeout, onWaitTimeout } = this.#settings
    if (this.#flight.settled) return
    if (onWaitTimeout === 'throw') this.#fail(new WaitTimeoutError(this.#key, waitTimeout))
    else this.#flight.settle(await loadAlone(this.#core, this.#key, this.#loader, { ...this.#settings, signal: this.#flight.signal }))
  }

  #isolate(value: V): Isolated<V> | undefined {
    return this.#orReport(() => isolate(value, this.#settings.codec))
  }

  #keep(entry: Entry<V>, isolated: Isolated<V>): void {
    const { memory, clock } = this.#core
    this.#orReport(() => memory?.put(this.#key, entry, isolated, clock.now()))
  }

  /** What `make` makes, or `undefined` where it throws, which costs no caller an answer. */
  #orReport<T>(make: () => T): T | undefined {
    try {
      return make()
    } catch (error) {
      this.#core.events.emit('error', () => ({ error }))
      return undefined
    }
  }
}

function describeFailure(reason: unknown): { name: string; message: string; origin: string } {
  const origin = `${hostname()}:${process.pid}`
  if (reason instanceof Error) return { name: reason.name, message: reason.message, origin }
  return { name: typeof reason, message: inspect(reason), origin }
}
