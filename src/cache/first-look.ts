import type { Flight } from '../flight/flight.ts'
import type { Entry } from '../store/entry.ts'
import type { CacheCore } from './core.ts'
import type { Loader } from './loader-context.ts'
import { isolate } from './memory.ts'
import type { CallSettings } from './options.ts'
import type { RedisTier } from './redis-tier.ts'
import { Refill } from './refill.ts'

/**
 * A plain read of Redis ahead of everything else, taken where hits are the rule: the reads of one tick travel as one
 * MGET, and a hit costs one promise and no flight. Who finds nothing fresh goes on with a claim. A second caller of the
 * same key makes it a flight that both share.
 */
export class FirstLooks {
  readonly #core: CacheCore
  readonly #redis: RedisTier
  readonly #byKey = new Map<string, Look<unknown>>()

  constructor(core: CacheCore, redis: RedisTier) {
    this.#core = core
    this.#redis = redis
  }

  /** Whether a look is likely to find something, and this caller needs nothing that only a flight can give it. */
  isWorthwhile<V>(settings: CallSettings<V>): boolean {
    return settings.signal === undefined && this.#redis.expectsHits && !this.#core.reentrance.isInLoader
  }

  look<V>(key: string, loader: Loader<V>, settings: CallSettings<V>): Promise<V> {
    return new Promise<V>((resolve, reject) => {
      const look: Look<V> = { key, loader, settings, flight: undefined, resolve, reject }
      this.#byKey.set(key, look as Look<unknown>)
      this.#redis.look<V>(key, settings.codec, (entry) => this.#found(look, entry))
    })
  }

  /** The flight that a further caller of `key` may join, if a look at it is under way. */
  flightOf<V>(key: string): Flight<V> | undefined {
    const look = this.#byKey.get(key) as Look<V> | undefined
    if (look === undefined) return undefined
    look.flight ??= this.#core.flights.start<V>(key, look.settings.tags)
    return look.flight
  }

  /** What is found from now on is no answer for later callers. */
  revoke(key: string): void {
    this.#byKey.delete(key)
  }

  revokeAll(): void {
    this.#byKey.clear()
  }

  /** Rejects all who wait. */
  close(error: Error): void {
    for (const look of this.#byKey.values()) look.reject(error)
    this.#byKey.clear()
  }

  #found<V>(look: Look<V>, entry: Entry<V> | undefined): void {
    const { key } = look
    const isCurrent = this.#byKey.get(key) === (look as unknown)
    if (isCurrent) this.#byKey.delete(key)
    if (entry === undefined) return this.#goOn(look)
    if (isCurrent) this.#keep(look, entry)
    this.#core.events.emit('hit', key, IN_REDIS)
    look.resolve(entry.value)
    if (look.flight === undefined) return
    look.flight.settle(entry.value)
    this.#core.flights.end(look.flight)
  }

  #keep<V>({ key, settings }: Look<V>, entry: Entry<V>): void {
    const { memory, clock, events } = this.#core
    if (memory === undefined) return
    try {
      memory.put(key, entry, isolate(entry.value, settings.codec, true), clock.now())
    } catch (error) {
      events.report(error) // it was too large, or cannot be copied: the caller has it all the same
    }
  }

  #goOn<V>({ key, loader, settings, flight, resolve }: Look<V>): void {
    const own = flight ?? this.#core.flights.start<V>(key, settings.tags)
    const refill = new Refill(this.#core, { key, loader, settings, background: false }, own)
    resolve(own.join(refill.leadersOwn, undefined))
    refill.run()
  }
}

interface Look<V> {
  readonly key: string
  readonly loader: Loader<V>
  readonly settings: CallSettings<V>
  /** Made when a second caller comes. */
  flight: Flight<V> | undefined
  resolve(value: V | Promise<V>): void
  reject(reason: unknown): void
}

const IN_REDIS = { tier: 'redis' } as const
