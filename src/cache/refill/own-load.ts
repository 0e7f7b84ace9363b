import type { Flight } from '../../flight/flight.ts'
import type { CacheCore } from '../core.ts'
import { readOf, type IsolatedLoad } from '../local/isolation.ts'
import { checked } from '../schema/made-valid.ts'
import { localLease, type Lease } from '../shared/lease.ts'
import type { Slot } from '../shared/slot.ts'
import type { RefillOrder } from './call.ts'
import { PASS_DURATION, type Callers } from './callers.ts'
import { failLoad } from './fail-load.ts'
import { RunningLoad } from './run-loader.ts'
import { asLoaded } from './stale.ts'
import { storeLoaded } from './store-loaded.ts'

/** The refill that leads a flight to its end. */
export interface Leader<V> {
  readonly core: CacheCore
  readonly order: RefillOrder<V>
  readonly flight: Flight<V>
  readonly callers: Callers<V>
  isolate(value: V): IsolatedLoad<V>
  /** The load has ended. What follows is `step`, whatever it throws, and then the end of the flight. */
  ended(step: () => unknown): void
}

/** Under what a load runs. */
export interface Terms {
  readonly lease: Lease
  /** The number of the last change that was known when the lease was asked for. */
  readonly since: number
  /** Set if loads are limited. */
  readonly slot?: Slot | undefined
  /** Whether the stale value is the one in Redis. */
  readonly isStored?: boolean
}

/** The load of a refill: its result goes to the callers, to memory and to Redis. */
export class OwnLoad<V> extends RunningLoad<V> {
  readonly #leader: Leader<V>
  readonly #lease: Lease
  readonly #since: number
  readonly #slot: Slot | undefined
  readonly #isStored: boolean
  #startedAt = 0
  /** The result, if it is for the leader's caller alone. */
  unshared: Promise<V> | undefined
  #settleUnshared: { loaded(value: V): void; failed(reason: unknown): void } | undefined

  constructor(leader: Leader<V>, { lease, since, slot, isStored = false }: Terms) {
    const { core, order, flight, callers } = leader
    const { stale } = callers
    super(core.loadTimeouts, {
      ...{ fullKey: order.key, execution: flight.execution, flight },
      readStale: stale && (() => readOf(stale)),
      background: order.background === true || flight.settled,
    })
    this.#leader = leader
    this.#lease = lease
    // Under a lease, Redis refuses the result only for changes after the claim.
    this.#since = lease === localLease ? core.local.now : since
    this.#slot = slot
    this.#isStored = isStored
    this.record.lease = lease
    this.record.since = this.#since
  }

  run(): void {
    const { core, order, flight, callers } = this.#leader
    const { loader, settings, batch } = order
    callers.noteMiss()
    core.local.flights.begun(flight)
    if (this.#lease !== localLease) this.#lease.onLost((reason) => this.#loseLease(reason))
    this.#startedAt = core.clock.now()
    const start = (): Promise<V> => this.start(checked(loader, settings.schema))
    const slot = this.#slot
    const inSlot = slot === undefined ? start : () => slot.start(start)
    const loaded = batch === undefined ? core.reentrance.start(flight, inSlot) : inSlot()
    batch?.decided(order.key)
    this.follow(loaded, settings.loadTimeout)
  }

  #loseLease(reason: unknown): void {
    const { core, order, flight } = this.#leader
    core.events.leaseLost(order.key)
    flight.execution.abort(reason)
  }

  doNotShare(): void {
    this.unshared ??= new Promise<V>((loaded, failed) => (this.#settleUnshared = { loaded, failed }))
    this.unshared.catch(() => {}) // perhaps nobody asks for it
    this.#leader.callers.pass()
    void this.#lease.pass(PASS_DURATION)
  }

  protected loaded(value: V): void {
    this.#leave()
    this.#settleUnshared?.loaded(value)
    this.#end(() => this.#handOn(value))
  }

  protected failed(reason: unknown): void {
    this.#leave()
    this.#settleUnshared?.failed(reason)
    this.#end(() => this.#fail(reason))
  }

  /** Takes over the failure of a load that began elsewhere, at `startedAt`. */
  failedSince(startedAt: number, reason: unknown): void {
    this.#startedAt = startedAt
    this.#end(() => this.#fail(reason))
  }

  #leave(): void {
    const { core, order, flight } = this.#leader
    if (order.batch === undefined) core.reentrance.end(flight)
    this.#slot?.leave()
  }

  /** A lease never outlives its load, however that ends. */
  #end(step: () => unknown): void {
    this.#leader.ended(() => {
      try {
        return step()
      } finally {
        if (!this.#lease.hasEnded) void this.#lease.abandon()
      }
    })
  }

  #fail(reason: unknown): Promise<unknown> {
    const { core, order, callers } = this.#leader
    const failed = { reason, record: this.record, loadTime: this.#loadTime, since: this.#since }
    return failLoad(core, order, failed, this.#lease, callers)
  }

  get #loadTime(): number {
    return this.#leader.core.clock.now() - this.#startedAt
  }

  /** Hands on the result, to the callers first. */
  #handOn(value: V): unknown {
    const { core, order, callers } = this.#leader
    const { events, limit, local } = core
    const { record } = this
    const loadTime = this.#loadTime
    const since = this.#since
    events.refilled(order.key, loadTime)
    limit?.noteLoadTime(loadTime)
    callers.note('loaded', undefined, loadTime)
    if (record.sharing === 'do-not-share') return undefined
    const unchanged = record.isUnchanged(value) ? callers.stale : undefined
    const isolated =
      unchanged === undefined
        ? events.orReport(() => this.#leader.isolate(value))
        : asLoaded(unchanged, order.settings.codec)
    local.endSetbacks(since, order.key)
    callers.settle(isolated, value)
    const loaded = { value, isolated, record, loadTime, unchanged, isStored: this.#isStored, since }
    return storeLoaded(core, order, loaded, this.#lease, callers, () => this.#leader.ended(() => undefined))
  }
}
