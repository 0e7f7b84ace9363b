import type { ClosedError } from '../../errors.ts'
import type { Flight } from '../../flight/flight.ts'
import type { Codec } from '../../store/codec.ts'
import type { Entry } from '../../store/entry.ts'
import type { PlainRead } from '../../store/plain-reads.ts'
import type { CacheCore } from '../core.ts'
import type { Loader } from '../refill/loader-context.ts'
import { isolate } from '../local/memory.ts'
import type { CallSettings } from '../options.ts'
import type { RedisTier } from '../shared/tier.ts'
import { Refill } from '../refill/refill.ts'

/** Looks that have ended are used again, and swept out when there are so many: deleting each would cost a hit the most. */
const KEPT = 10_000

/**
 * A plain read of Redis ahead of everything else, taken where hits are the rule: the reads of one tick travel as one
 * MGET, and a hit costs one promise and no flight. Who finds nothing fresh goes on with a claim. A second caller of the
 * same key makes it a flight that both share.
 */
export class FirstLooks {
  readonly #core: CacheCore
  readonly #redis: RedisTier
  /** The last look at each key. */
  #byKey = new Map<string, Look<unknown>>()
  #sweepAt = KEPT

  constructor(core: CacheCore, redis: RedisTier) {
    this.#core = core
    this.#redis = redis
  }

  /** Whether a look is likely to find something, and this caller needs nothing that only a flight can give it. */
  isWorthwhile<V>(settings: CallSettings<V>): boolean {
    return settings.signal === undefined && this.#redis.expectsHits && !this.#core.reentrance.isInLoader
  }

  look<V>(key: string, loader: Loader<V>, settings: CallSettings<V>): Promise<V> {
    const known = this.#byKey.get(key) as Look<V> | undefined
    const look = known?.hasEnded ? known : this.#add(key, settings)
    look.begin(loader, settings)
    return this.#redis.look(look)
  }

  #add<V>(key: string, settings: CallSettings<V>): Look<V> {
    if (this.#byKey.size >= this.#sweepAt) this.#sweep()
    const look = new Look(this, key, this.#redis.valueKey(key), settings)
    this.#byKey.set(key, look as Look<unknown>)
    return look
  }

  #sweep(): void {
    this.#byKey = new Map([...this.#byKey].filter(([, look]) => look.isCurrent))
    this.#sweepAt = Math.max(KEPT, 2 * this.#byKey.size)
  }

  /** The flight that a further caller of `key` may join, if a look at it is under way. */
  flightOf<V>(key: string): Flight<V> | undefined {
    const look = this.#byKey.get(key) as Look<V> | undefined
    if (look === undefined || !look.isCurrent) return undefined
    look.flight ??= this.#core.flights.start<V>(key, look.settings.tags)
    return look.flight
  }

  /** What is found from now on is no answer for later callers. */
  revoke(key: string): void {
    const look = this.#byKey.get(key)
    if (look !== undefined) look.isCurrent = false
  }

  revokeAll(): void {
    for (const look of this.#byKey.values()) look.isCurrent = false
    this.#byKey.clear()
  }

  /** Rejects all who wait. */
  close(error: ClosedError): void {
    this.#redis.endLooks(error)
  }

  /** Memory keeps what it is given, unless the key was revoked in the meantime. */
  get keeps(): boolean {
    return this.#core.memory !== undefined
  }

  found<V>(look: Look<V>, value: V, entry: Entry<V> | undefined): V {
    const { flight } = look
    if (entry !== undefined && look.isCurrent) this.#keep(look, entry)
    look.end()
    this.#core.events.hitInRedis(look.key)
    if (flight !== undefined) {
      flight.settle(value)
      this.#core.flights.end(flight)
    }
    return value
  }

  /** Goes on with a claim. */
  foundNothing<V>(look: Look<V>): Promise<V> {
    const { key, settings } = look
    const { closing, flights } = this.#core
    const flight = look.flight ?? flights.start<V>(key, settings.tags)
    const loader = look.end()
    const refill = new Refill(this.#core, { key, loader, settings, onDecided: undefined, background: false }, flight)
    const answer = flight.join(refill, undefined)
    if (closing.aborted) {
      flight.fail(closing.reason)
      flights.end(flight)
    } else {
      refill.run()
    }
    return answer
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

/** One caller who looks; when that has ended, at the same key another. */
class Look<V> implements PlainRead<V> {
  readonly #looks: FirstLooks
  readonly key: string
  readonly valueKey: string
  settings: CallSettings<V>
  /** Absent when it has ended. */
  #loader: Loader<V> | undefined = undefined
  /** Made when a second caller comes. */
  flight: Flight<V> | undefined = undefined
  /** Whether it is under way, and what it will find is an answer for later callers, too. */
  isCurrent = false

  constructor(looks: FirstLooks, key: string, valueKey: string, settings: CallSettings<V>) {
    this.#looks = looks
    this.key = key
    this.valueKey = valueKey
    this.settings = settings
  }

  get codec(): Codec<V> {
    return this.settings.codec
  }

  get wantsEntry(): boolean {
    return this.#looks.keeps
  }

  get hasEnded(): boolean {
    return this.#loader === undefined
  }

  begin(loader: Loader<V>, settings: CallSettings<V>): void {
    this.#loader = loader
    this.settings = settings
    this.isCurrent = true
  }

  onEntry(entry: Entry<V>): V {
    return this.#looks.found(this, entry.value, entry)
  }

  onValue(value: V): V {
    return this.#looks.found(this, value, undefined)
  }

  onNothing(): Promise<V> {
    return this.#looks.foundNothing(this)
  }

  /** Hands out the loader and lets go of what must not outlive the look. */
  end(): Loader<V> {
    const loader = this.#loader as Loader<V>
    this.isCurrent = false
    this.#loader = undefined
    this.flight = undefined
    return loader
  }
}
