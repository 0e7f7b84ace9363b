import type { ClosedError } from '../../errors.ts'
import { isWithin } from '../../full-key.ts'
import type { Flight } from '../../flight/flight.ts'
import type { Codec } from '../../store/codec.ts'
import type { ReadEntry } from '../../store/entry.ts'
import type { PlainRead } from '../../store/plain-reads.ts'
import type { CacheCore } from '../core.ts'
import type { Loader } from '../refill/loader-context.ts'
import { isolateRead, readOf, type Isolated } from '../local/isolation.ts'
import type { CallSettings } from '../options.ts'
import type { RedisTier } from '../shared/tier.ts'
import { Refill } from '../refill/refill.ts'
import { isValid } from '../schema/found-valid.ts'

/** Ended looks are used again, and swept out at this number: deleting each one would be the largest cost of a hit. */
const KEPT = 10_000

/**
 * A plain read of Redis ahead of everything else, used while most reads hit. The reads of one tick travel as one MGET, and a
 * hit costs one promise and no flight. A caller that finds nothing fresh goes on with a claim. A second caller of the same
 * key makes it a flight that both share.
 */
export class PlainReadAhead {
  readonly #core: CacheCore
  readonly #redis: RedisTier
  /** The last look at each key. */
  #byKey = new Map<string, Look<unknown>>()
  #sweepAt = KEPT

  constructor(core: CacheCore, redis: RedisTier) {
    this.#core = core
    this.#redis = redis
  }

  /** Whether a look is likely to find something, and this caller needs nothing that only a flight can give. */
  isWorthwhile<V>(settings: CallSettings<V>): boolean {
    const { reentrance, limit } = this.#core
    if (settings.signal !== undefined || !this.#redis.expectsHits) return false
    return !reentrance.isInLoader && !limit?.isInLoader
  }

  look<V>(key: string, loader: Loader<V>, settings: CallSettings<V>): Promise<V> {
    const known = this.#byKey.get(key) as Look<V> | undefined
    const look = known?.hasEnded ? known : this.#add(key, settings)
    look.begin(loader, settings, this.#core.local.now)
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
    look.flight ??= this.#core.local.flights.start<V>(key)
    return look.flight
  }

  /** From now on, what the look finds is no answer for later callers. */
  revoke(key: string): void {
    const look = this.#byKey.get(key)
    if (look !== undefined) look.isCurrent = false
  }

  revokeWithin(path: string): void {
    for (const look of this.#byKey.values()) if (isWithin(look.key, path)) look.isCurrent = false
  }

  revokeAll(): void {
    for (const look of this.#byKey.values()) look.isCurrent = false
    this.#byKey.clear()
  }

  /** Rejects all that wait. */
  close(error: ClosedError): void {
    this.#redis.endLooks(error)
  }

  /** Whether memory keeps what is found. */
  get keeps(): boolean {
    return this.#core.local.memory !== undefined
  }

  /** Without `entry`, the value is for one caller alone. */
  found<V>(look: Look<V>, value: V, entry: ReadEntry<V> | undefined): V {
    const { flight, key } = look
    this.#core.events.hitInRedis(key)
    if (entry === undefined) {
      look.end()
      return value
    }
    const isolated = isolateRead(entry, look.codec)
    if (look.isCurrent) this.#keep(look, entry, isolated)
    look.end()
    if (flight !== undefined) {
      flight.settle(isolated.value, isolated.copy)
      this.#core.local.flights.end(flight)
    }
    return readOf(isolated)
  }

  /** The answer, if the entry is valid by the schema of the call. Otherwise goes on with a claim. */
  foundToCheck<V>(look: Look<V>, entry: ReadEntry<V>): V | Promise<V> {
    const answer = (isUsable: boolean): V | Promise<V> =>
      isUsable ? this.found(look, entry.value, entry) : this.foundNothing(look, entry.freshUntil)
    const isUsable = isValid(this.#core, look.key, look.settings, entry.value)
    return typeof isUsable === 'boolean' ? answer(isUsable) : isUsable.then(answer)
  }

  /** Goes on with a claim. `invalidUntil`: end of the ttl of an invalid entry that was found. */
  foundNothing<V>(look: Look<V>, invalidUntil?: number): Promise<V> {
    const { key, settings } = look
    const { closing, local } = this.#core
    const flight = look.flight ?? local.flights.start<V>(key)
    const loader = look.end()
    const order = { key, loader, settings, batch: undefined }
    const refill = new Refill(this.#core, invalidUntil === undefined ? order : { ...order, invalidUntil }, flight)
    const answer = flight.join(refill, undefined)
    if (closing.aborted) {
      flight.fail(closing.reason)
      local.flights.end(flight)
    } else {
      refill.run()
    }
    return answer
  }

  #keep<V>({ key, since }: Look<V>, entry: ReadEntry<V>, isolated: Isolated<V>): void {
    try {
      this.#core.local.keep(since, key, entry, isolated)
    } catch (error) {
      this.#core.events.report(error) // it is too large; the caller still gets it
    }
  }
}

/** The look of one caller. Once it has ended, it is used again for the same key. */
class Look<V> implements PlainRead<V> {
  readonly #looks: PlainReadAhead
  readonly key: string
  readonly valueKey: string
  settings: CallSettings<V>
  /** Absent once the look has ended. */
  #loader: Loader<V> | undefined = undefined
  /** Made when a second caller comes. */
  flight: Flight<V> | undefined = undefined
  /** Whether it is under way and its result is also an answer for later callers. */
  isCurrent = false
  /** The number of the last change that was known when it began. */
  since = 0

  constructor(looks: PlainReadAhead, key: string, valueKey: string, settings: CallSettings<V>) {
    this.#looks = looks
    this.key = key
    this.valueKey = valueKey
    this.settings = settings
  }

  get codec(): Codec<V> {
    return this.settings.codec
  }

  /** A value for several callers has to be isolated. */
  get wantsEntry(): boolean {
    return this.#looks.keeps || this.flight !== undefined || this.settings.schema !== undefined
  }

  get hasEnded(): boolean {
    return this.#loader === undefined
  }

  begin(loader: Loader<V>, settings: CallSettings<V>, since: number): void {
    this.#loader = loader
    this.settings = settings
    this.since = since
    this.isCurrent = true
  }

  onEntry(entry: ReadEntry<V>): V | Promise<V> {
    if (this.settings.schema !== undefined) return this.#looks.foundToCheck(this, entry)
    return this.#looks.found(this, entry.value, entry)
  }

  onValue(value: V): V {
    return this.#looks.found(this, value, undefined)
  }

  onNothing(): Promise<V> {
    return this.#looks.foundNothing(this)
  }

  /** Returns the loader, and drops what must not outlive the look. */
  end(): Loader<V> {
    const loader = this.#loader as Loader<V>
    this.isCurrent = false
    this.#loader = undefined
    this.flight = undefined
    return loader
  }
}
