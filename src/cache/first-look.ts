import { AsyncResource } from 'node:async_hooks'
import type { Flight } from '../flight/flight.ts'
import type { Codec } from '../store/codec.ts'
import type { Entry } from '../store/entry.ts'
import type { PlainRead } from '../store/plain-reads.ts'
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
    return new Promise<V>((resolve) => {
      const look = new Look(this, key, this.#redis.valueKey(key), loader, settings, resolve)
      this.#byKey.set(key, look as Look<unknown>)
      this.#redis.look(look)
    })
  }

  /** The flight that a further caller of `key` may join, if a look at it is under way. */
  flightOf<V>(key: string): Flight<V> | undefined {
    if (this.#byKey.size === 0) return undefined
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
    for (const look of this.#byKey.values()) look.resolve(Promise.reject(error))
    this.#byKey.clear()
  }

  /** Memory keeps what it is given, unless the key was revoked in the meantime. */
  get keeps(): boolean {
    return this.#core.memory !== undefined
  }

  found<V>(look: Look<V>, value: V, entry: Entry<V> | undefined): void {
    const { key, flight } = look
    if (this.#end(look) && entry !== undefined) this.#keep(look, entry)
    this.#core.events.hitInRedis(key)
    look.resolve(value)
    if (flight === undefined) return
    flight.settle(value)
    this.#core.flights.end(flight)
  }

  /** Goes on with a claim. */
  foundNothing<V>(look: Look<V>): void {
    this.#end(look)
    const { key, loader, settings } = look
    const flight = look.flight ?? this.#core.flights.start<V>(key, settings.tags)
    const refill = new Refill(this.#core, { key, loader, settings, onDecided: undefined, background: false }, flight)
    look.resolve(flight.join(refill, undefined))
    refill.run()
  }

  /** Answers whether what was found counts for later callers. */
  #end<V>(look: Look<V>): boolean {
    return this.#byKey.get(look.key) === (look as unknown) && this.#byKey.delete(look.key)
  }

  #keep<V>({ key, codec }: Look<V>, entry: Entry<V>): void {
    const { memory, clock, events } = this.#core
    try {
      memory?.put(key, entry, isolate(entry.value, codec, true), clock.now())
    } catch (error) {
      events.report(error) // it was too large, or cannot be copied: the caller has it all the same
    }
  }
}

/** One caller who looks, and the async scope of that caller: replies come in the scope of whoever sent the batch. */
class Look<V> extends AsyncResource implements PlainRead<V> {
  readonly #looks: FirstLooks
  readonly key: string
  readonly valueKey: string
  readonly loader: Loader<V>
  readonly settings: CallSettings<V>
  readonly resolve: (value: V | Promise<V>) => void
  /** Made when a second caller comes. */
  flight: Flight<V> | undefined = undefined

  constructor(
    looks: FirstLooks,
    key: string,
    valueKey: string,
    loader: Loader<V>,
    settings: CallSettings<V>,
    resolve: (value: V | Promise<V>) => void,
  ) {
    super('herdlock.Look', NEVER_DESTROYED)
    this.#looks = looks
    this.key = key
    this.valueKey = valueKey
    this.loader = loader
    this.settings = settings
    this.resolve = resolve
  }

  get codec(): Codec<V> {
    return this.settings.codec
  }

  get wantsEntry(): boolean {
    return this.#looks.keeps
  }

  onEntry(entry: Entry<V>): void {
    this.#looks.found(this, entry.value, entry)
  }

  onValue(value: V): void {
    this.#looks.found(this, value, undefined)
  }

  /** A loader will run. */
  onNothing(): void {
    this.runInAsyncScope(this.#looks.foundNothing, this.#looks, this)
  }
}

/** Spares Node the watching of its end. */
const NEVER_DESTROYED = { requireManualDestroy: true }
