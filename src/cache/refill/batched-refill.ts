import { claimChannel, refillChannel } from '../../diagnostics.ts'
import { LoadTimeoutError } from '../../errors.ts'
import type { Execution } from '../../flight/execution.ts'
import type { Flight } from '../../flight/flight.ts'
import type { Claim } from '../../store/redis-store.ts'
import type { CacheCore } from '../core.ts'
import { isolateLoaded, unshared, type IsolatedLoad } from '../local/isolation.ts'
import { localLease, type Lease } from '../shared/lease.ts'
import type { RedisTier } from '../shared/tier.ts'
import type { Batch, TimedLoad } from './batch.ts'
import type { RefillOrder } from './call.ts'
import { loadAlone } from './load-alone.ts'
import { Refill } from './refill.ts'
import { isAbandonment } from './run-loader.ts'
import { storeBatched } from './store-loaded.ts'

/**
 * One of thousands of keys that one loader loads, for the usual case: nothing is stored, this process gets the lease, and
 * the loader brings a value. It costs a fraction of a `Refill`, and leaves all other cases to one.
 */
export class BatchedRefill<V> implements TimedLoad<V> {
  readonly #core: CacheCore
  readonly #redis: RedisTier
  readonly #order: BatchOrder<V>
  readonly flight: Flight<V>
  /** The number of the last change that was known when the claim was sent. */
  readonly #since: number
  #lease: Lease = localLease
  onLoaded: () => void = ignore
  #hasEnded = false
  /** The refill that takes over in all other cases. */
  #refill: Refill<V> | undefined

  /** The refill for that order, if the usual case is possible. */
  static of<V>(core: CacheCore, order: RefillOrder<V>, flight: Flight<V>): BatchedRefill<V> | undefined {
    const { redis, limit } = core
    const { batch, background = false, settings } = order
    if (batch === undefined || redis?.isSingle !== true || limit !== undefined || background) return undefined
    if (settings.schema !== undefined || settings.forceFresh || settings.waitUntil !== undefined) return undefined
    if (claimChannel.hasSubscribers || refillChannel.hasSubscribers) return undefined
    return new BatchedRefill(core, redis, order as BatchOrder<V>, flight)
  }

  private constructor(core: CacheCore, redis: RedisTier, order: BatchOrder<V>, flight: Flight<V>) {
    this.#core = core
    this.#redis = redis
    this.#order = order
    this.flight = flight
    this.#since = core.local.now
  }

  get key(): string {
    return this.#order.key
  }

  get loadTimeout(): number {
    return this.#order.settings.loadTimeout
  }

  get execution(): Execution {
    return this.flight.execution
  }

  run(): void {
    this.#redis.claimFor(this, this.key, this.#order.settings.codec)
  }

  /** What the leader's caller gets if the flight is released. */
  alone(): Promise<V> {
    const { key, loader, settings } = this.#order
    return this.#refill?.alone() ?? loadAlone(this.#core, key, loader, settings)
  }

  claimed(claim: Claim<V> | Promise<Claim<V>>): void {
    if (claim instanceof Promise) return void claim.then((known) => this.claimed(known))
    const { execution } = this
    if (claim.state !== 'leased' || claim.stale !== undefined || execution.isAborted) {
      return this.#otherwise().resume(claim, this.#since)
    }
    this.#core.events.miss(this.key)
    this.#lease = this.#redis.lease(this.key, claim.possessions, false)
    this.#lease.onLost((reason) => {
      this.#core.events.leaseLost(this.key)
      execution.abort(reason)
    })
    execution.onAbort = (reason) => {
      if (isAbandonment(reason)) this.reject(reason)
    }
    this.#order.batch.take(this)
  }

  /** The loader has brought the value. */
  resolve(value: V): void {
    if (!this.#endLoad()) return
    const { events, local } = this.#core
    const loadTime = this.#core.clock.now() - this.#order.batch.startedAt
    events.refilled(this.key, loadTime)
    const isolated = this.#isolate(value)
    local.endSetbacks(this.#since, this.key)
    if (isolated === undefined) this.flight.settle(value)
    else this.flight.settle(isolated.value, isolated.copy)
    storeBatched(this.#core, this.#order, { value, isolated, loadTime, since: this.#since }, this.#lease, this.#end)
  }

  /** The loader failed, for this key or for all, or nobody wants the value any more. */
  reject(reason: unknown): void {
    if (!this.#endLoad()) return
    this.#otherwise().resumeFailed(reason, this.#lease, this.#order.batch.startedAt, this.#since)
  }

  timeOut(): void {
    const error = new LoadTimeoutError(this.key, this.loadTimeout)
    this.execution.abort(error)
    this.reject(error)
  }

  /** Returns whether the load was under way. */
  #endLoad(): boolean {
    if (this.#hasEnded) return false
    this.#hasEnded = true
    this.execution.onAbort = undefined
    this.onLoaded()
    return true
  }

  readonly #end = (): void => {
    this.#core.local.flights.end(this.flight)
  }

  #otherwise(): Refill<V> {
    return (this.#refill = new Refill(this.#core, this.#order, this.flight))
  }

  #isolate(value: V): IsolatedLoad<V> | undefined {
    const { codec } = this.#order.settings
    const { local, events } = this.#core
    const isForOne = local.memory === undefined && this.flight.waiters <= 1
    try {
      return isForOne ? unshared(value, codec) : isolateLoaded(value, codec)
    } catch (error) {
      events.report(error)
      return undefined
    }
  }
}

type BatchOrder<V> = RefillOrder<V> & { readonly batch: Batch<V> }

function ignore(): void {}
