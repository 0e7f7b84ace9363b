import { throwIfAborted } from '../abort.ts'
import { checkArray, checkFunction, checkKey } from '../check.ts'
import type { Clock } from '../clock.ts'
import { ClosedError } from '../errors.ts'
import { pathOf } from '../full-key.ts'
import { Flights } from '../flight/flights.ts'
import { withVersion } from '../key-version.ts'
import type { Random } from '../random.ts'
import { pathInto } from '../redis/entry-keys.ts'
import type { Cache, WrapOptions } from './cache.ts'
import type { Claim } from './claim.ts'
import type { CacheCore } from './core.ts'
import { Inspections } from './inspect.ts'
import { isolateLoaded, isolateRead, readOf } from './local/isolation.ts'
import { lifeFrom, storingOf } from './local/lifetime.ts'
import { interestOf } from './local/interest.ts'
import { Local } from './local/local.ts'
import { Memory } from './local/memory.ts'
import { Namespace, type Whole } from './namespace.ts'
import {
  checkCallOptions,
  checkTagNames,
  checkVersionOptions,
  DEFAULT_UNSYNCED_TTL,
  overOf,
  settingsOf,
} from './options.ts'
import type { CallOptions, ExpireOptions, ResolvedOptions, VersionOptions } from './options.ts'
import type { CacheParts } from './parts.ts'
import { Claims } from './read/claims.ts'
import { hitsFirst, inVersion, peeksFirst } from './read/hit-path.ts'
import { ReadPath } from './read/read-path.ts'
import { Batch, type BatchLoader } from './refill/batch.ts'
import { BatchAnswers } from './refill/batch-answers.ts'
import type { Call } from './refill/call.ts'
import { aloneWith, type Brought } from './refill/load-alone.ts'
import type { Loader } from './refill/loader-context.ts'
import { Deadlines } from '../redis/deadlines.ts'
import { Reentrance } from './refill/reentrance.ts'
import { isValid } from './schema/found-valid.ts'
import { refuseInvalid } from './schema/made-valid.ts'
import { optional } from './schema/standard-schema.ts'
import type { Change } from './shared/backplane.ts'
import { LoadLimit } from './shared/load-limit.ts'
import type { RedisTier } from './shared/tier.ts'
import type { Producer, StreamOptions } from './stream/options.ts'
import type { SharedStream } from './stream/shared-stream.ts'
import type { SharedStreams } from './stream/shared-streams.ts'
import { sharingBy } from './stream/partial-sharing.ts'
import { Events, type CacheEvent, type CacheListener } from './watch/events.ts'
import type { CacheFlight, Inspection, LeaseListing } from './watch/inspection.ts'
import { shareInside } from './watch/inside.ts'
import type { CacheStats } from './watch/stats.ts'
import { wrapped } from './wrap.ts'

/** Keys of one call that are asked for in one turn of the event loop. */
const KEYS_A_TURN = 250

export class RefillCache implements Cache {
  readonly name: string
  readonly getOrRefill: Cache['getOrRefill']
  readonly peek: Cache['peek']
  readonly #core: CacheCore
  readonly #clock: Clock
  readonly #local: Local
  readonly #events: Events
  readonly #closing = new AbortController()
  readonly #reads: ReadPath
  readonly #claims: Claims
  readonly #streams: SharedStreams | undefined
  readonly #inspections: Inspections
  readonly #whole: Whole

  constructor(options: ResolvedOptions, clock: Clock, random: Random, parts: CacheParts = {}) {
    this.#clock = clock
    this.name = options.name
    this.#events = new Events(options.name, options.redactKey)
    const interest = interestOf(options, {
      hear: (part) => this.#core.redis?.hear(part),
      leave: (part) => this.#core.redis?.leave(part),
    })
    const memory = options.memory === false ? undefined : new Memory(options.memory, options.beta, interest)
    const released = <V>(key: string, brought: unknown, to: 'alone' | 'again'): V | Promise<V> =>
      to === 'alone' ? aloneWith(this.#core, key, brought as Brought<V>) : this.#reads.again(key, brought as Brought<V>)
    const local = (this.#local = new Local(
      memory,
      new Flights(clock, released, interest),
      clock,
      {
        unsyncedTtl: options.memory === false ? DEFAULT_UNSYNCED_TTL : options.memory.unsyncedTtl,
        isTracking: options.memory !== false && options.memory.tracking,
        isAlone: options.redis.length === 0,
      },
      interest,
    ))
    const redis =
      options.redis.length === 0
        ? undefined
        : parts.openTier?.(options, clock, random, {
            report: (error) => this.#events.report(error),
            onChange: (change) => this.#apply(change),
            onTracked: (forms) => forms.forEach((form) => local.forgetForm(form)),
            onTrackedAll: () => local.forgetAll(),
            onSyncLost: () => local.loseSync(),
            onSync: (isFirst) => local.gainSync(isFirst),
            onHears: (parts) => local.noteHeard(parts),
          })
    this.#core = {
      options,
      closing: this.#closing.signal,
      clock,
      random,
      events: this.#events,
      reentrance: new Reentrance(),
      loadTimeouts: new Deadlines(clock, options.loadTimeout, { keepsAlive: true }),
      local,
      redis,
      limit: this.#limitOf(options, redis),
      partial: redis && parts.openPartial?.(redis, local, clock, random, this.#closing.signal),
    }
    this.#reads = new ReadPath(this.#core)
    this.#claims = new Claims(this.#core, this.#reads)
    this.#streams = parts.openStreams?.(this.#core, this.#claims)
    this.#inspections = new Inspections(this.#core)
    const known = memory && !options.forceFresh ? inVersion(memory, options.version) : undefined
    this.getOrRefill = known ? hitsFirst(known, local.sync, clock, this.#events, this.#getOrRefill) : this.#getOrRefill
    this.peek = known ? peeksFirst(known, local.sync, clock, this.#peek) : this.#peek
    const { ttl, loadTimeout } = options
    const partial = sharingBy(this.#core.partial, (key) => this.#inVersion(key))
    const inside = { ttl, loadTimeout, partial, doors: { clock, random }, fleet: redis?.fleet }
    this.#whole = {
      ...{ cache: this, clock, inside, sync: local.sync, events: this.#events },
      ...{ getOrRefill: this.#getOrRefill, peek: this.#peek, known },
      clear: (path) => this.#clear(path),
      stats: (path) => this.#stats(path),
      examine: (key, options, path) => this.#examine(key, options, path),
      flights: (path) => this.#inspections.flights(path),
      leases: (previous, path) => this.#inspections.leases(previous, path),
    }
    shareInside(this, { ...inside, outcomes: this.#events, path: '' })
  }

  #limitOf({ maxLoads, waitTimeout }: ResolvedOptions, redis: RedisTier | undefined): LoadLimit | undefined {
    if (maxLoads === undefined) return undefined
    const makeToken = redis?.makeToken ?? (() => '')
    const rules = { maxLoads, waitTimeout }
    return new LoadLimit(rules, redis?.slotLines ?? [], this.#clock, makeToken, () => this.#events.loadTime.mean)
  }

  /** What `getOrRefill` is for all but fresh hits in memory. */
  readonly #getOrRefill = <V, S = V>(key: string, loader: Loader<V, S>, options?: CallOptions<V>): Promise<V> => {
    const asked = loader as Loader<unknown> as Loader<V>
    try {
      const mayFollow = options === undefined && !this.#core.options.forceFresh
      const followed = mayFollow ? this.#reads.follow(this.#inVersion(key), asked) : undefined
      return followed ?? this.#answer(key, asked, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #answer<V>(asked: string, loader: Loader<V>, options: CallOptions<V> | undefined): Promise<V> {
    const key = this.#keyOf(asked, options)
    checkFunction('loader', loader)
    throwIfAborted(options?.signal)
    return this.#reads.resolve({ key, loader, settings: settingsOf(options, this.#core.options), batch: undefined })
  }

  readonly getOrRefillMany = async <V>(
    keys: readonly string[],
    loader: BatchLoader<V>,
    options?: CallOptions<V>,
  ): Promise<Map<string, V>> => {
    checkArray('keys', keys, 'an array of non-empty strings')
    if (options !== undefined) checkCallOptions(options)
    for (const key of keys as string[]) checkKey(key)
    this.#assertOpen()
    checkFunction('loader', loader)
    throwIfAborted(options?.signal)
    const ofEach = settingsOf(options, this.#core.options)
    const settings = { ...ofEach, schema: optional(ofEach.schema) } // of what the loader has no value for
    const distinct = [...new Set(keys as string[])]
    const batch = new Batch(loader, distinct, this.#core)
    const answers = new BatchAnswers<V>(distinct)
    for (let place = 0; place < distinct.length; place++) {
      if (place % KEYS_A_TURN === KEYS_A_TURN - 1) {
        await new Promise<void>((next) => this.#clock.setImmediate(next))
      }
      const key = this.#inVersion(distinct[place] as string, options)
      this.#askOneOf({ key, loader: batch.loader, settings, batch }, answers, place)
    }
    return answers.all
  }

  #askOneOf<V>(call: Call<V> & { batch: Batch<V> }, answers: BatchAnswers<V>, place: number): void {
    try {
      this.#assertOpen()
      this.#reads.resolveFor(answers, place, call)
    } catch (error) {
      call.batch.decided(call.key) // nothing has begun, because the call was refused
      answers.failed(place, error)
    }
  }

  readonly claim = async <V>(asked: string, options?: CallOptions<V>): Promise<Claim<V>> => {
    const key = this.#keyOf(asked, options)
    return this.#claims.claim({ key, settings: settingsOf(options, this.#core.options) })
  }

  readonly stream = <C>(key: string, producer: Producer<C>, options?: StreamOptions): SharedStream<C> => {
    if (this.#streams === undefined)
      throw new TypeError('stream needs a cache of createCache, not the own one of a middleware')
    return this.#streams.stream(this.#keyOf(key, options), producer, options)
  }

  readonly wrap = <A extends unknown[], V>(
    fn: (...args: A) => V | Promise<V>,
    options: WrapOptions<A, V>,
  ): ((...args: A) => Promise<V>) => wrapped(this.getOrRefill, fn, options)

  /** What `peek` is for all but entries that need no further look. */
  readonly #peek = <V>(key: string, options?: VersionOptions): V | undefined => {
    if (options !== undefined) checkVersionOptions(options)
    const entry = this.#local.memory?.get<V>(this.#inVersion(key, options))
    return entry !== undefined && this.#local.isFresh(entry, this.#clock.coarseNow()) ? entry.read() : undefined
  }

  readonly get = async <V>(asked: string, options?: CallOptions<V>): Promise<V | undefined> => {
    const key = this.#keyOf(asked, options)
    const settings = settingsOf(options, this.#core.options)
    const inMemory = this.peek<V>(asked, options)
    if (inMemory !== undefined) return inMemory
    const entry = await this.#core.redis?.read(key, settings.codec)
    if (entry === undefined || this.#clock.now() >= entry.freshUntil) return undefined
    if (!(await isValid(this.#core, key, settings, entry.value))) return undefined
    return readOf(isolateRead(entry, settings.codec))
  }

  readonly set = async <V>(asked: string, value: V, options?: CallOptions<V>): Promise<void> => {
    const key = this.#keyOf(asked, options)
    const settings = settingsOf(options, this.#core.options)
    const { redis, clock, random } = this.#core
    if (value === undefined) return this.#invalidate([key])
    const checking = settings.schema && refuseInvalid(settings.schema, key, value)
    if (checking !== undefined) await checking
    const isolated = isolateLoaded(value, settings.codec)
    const storing = storingOf(value, settings, { lifetime: {}, tags: [] }, random.uniform())
    const life = lifeFrom(clock.now(), storing, 0)
    const payload = redis && isolated.encode()
    const pending = this.#local.beginSet(key)
    try {
      if (redis !== undefined && payload !== undefined) await redis.write(key, payload, storing)
    } catch (error) {
      this.#local.endSet(pending, undefined) // it may have been carried out all the same
      throw error
    }
    try {
      this.#local.endSet(pending, { life, isolated })
    } catch (error) {
      this.#events.report(error) // too large for memory: it is set all the same
    }
  }

  readonly invalidate = async (key: string | readonly string[], options?: VersionOptions): Promise<void> => {
    return this.#invalidate(this.#keysOf(key, options))
  }

  async #invalidate(keys: readonly string[]): Promise<void> {
    for (const each of keys) this.#local.forget(each)
    for (const each of keys) this.#events.invalidated(each)
    await this.#inRedis(
      (redis) => Promise.all(keys.map((each) => redis.remove(each))),
      () => keys.forEach((each) => this.#local.endChange(each)),
    )
  }

  readonly expire = async (key: string | readonly string[], options?: VersionOptions): Promise<void> => {
    const keys = this.#keysOf(key, options)
    for (const each of keys) this.#local.expire(each)
    for (const each of keys) this.#events.invalidated(each)
    await this.#inRedis(
      (redis) => Promise.all(keys.map((each) => redis.expire(each))),
      () => keys.forEach((each) => this.#local.endExpiry(each)),
    )
  }

  readonly invalidateTags = async (tags: string | readonly string[]): Promise<void> => {
    const names = this.#distinctTags(tags)
    const here = (): void => names.forEach((tag) => this.#local.forgetTagged(tag))
    here()
    this.#tellOfTags(names)
    await this.#inRedis((redis) => redis.invalidateTags(names), here)
  }

  readonly expireTags = async (tags: string | readonly string[], options: ExpireOptions = {}): Promise<void> => {
    const names = this.#distinctTags(tags)
    const over = overOf(options)
    const here = (): void => names.forEach((tag) => this.#local.expireTagged(tag, over))
    here()
    this.#tellOfTags(names)
    await this.#inRedis((redis) => redis.expireTags(names, over), here)
  }

  /** Makes a change in Redis, too; then `again` here, for what was read from Redis in the meantime. */
  async #inRedis(change: (redis: RedisTier) => Promise<unknown>, again: () => void): Promise<void> {
    const { redis } = this.#core
    if (redis === undefined) return
    try {
      await change(redis)
    } finally {
      again()
    }
  }

  readonly namespace = (name: string): Cache => {
    checkKey(name, 'name')
    this.#assertOpen()
    return new Namespace(this.#whole, `${this.name}/${name}`, pathInto('', name))
  }

  readonly clear = (): Promise<void> => this.#clear('')

  /** All entries in the namespace of that path. */
  async #clear(path: string): Promise<void> {
    this.#assertOpen()
    this.#forgetWithin(path)
    this.#events.invalidatedWithin(path)
    await this.#inRedis(
      (redis) => redis.removeAll(path),
      () => this.#forgetWithin(path),
    )
  }

  #forgetWithin(path: string): void {
    if (path === '') this.#local.forgetAll()
    else this.#local.forgetWithin(path)
  }

  readonly stats = (): CacheStats => this.#stats('')

  #stats(path: string): CacheStats {
    const { memory, flights } = this.#local
    const counts = path === '' ? this.#events : this.#events.countsOf(path)
    return {
      ...counts.read(),
      limit: this.#core.limit?.stats,
      redis: this.#core.redis?.stats() ?? [],
      entries: memory?.sizeWithin(path) ?? 0,
      bytes: path === '' ? memory?.bytes : undefined,
      flights: path === '' ? flights.size : flights.all(path).length,
    }
  }

  readonly examine = (key: string, options?: VersionOptions): Promise<Inspection> => this.#examine(key, options, '')

  async #examine(key: string, options: VersionOptions | undefined, path: string): Promise<Inspection> {
    checkKey(key)
    if (options !== undefined) checkVersionOptions(options)
    this.#assertOpen()
    return this.#inspections.examine(this.#inVersion(key, options), path)
  }

  readonly flights = (): CacheFlight[] => this.#inspections.flights('')

  readonly leases = async (previous?: LeaseListing): Promise<LeaseListing> => {
    this.#assertOpen()
    return this.#inspections.leases(previous, '')
  }

  readonly on = <E extends CacheEvent>(event: E, listener: CacheListener<E>): (() => void) => {
    checkFunction('listener', listener)
    return this.#events.on(event, listener)
  }

  readonly close = async (): Promise<void> => {
    const closed = new ClosedError('cache')
    this.#closing.abort(closed)
    await this.#reads.close(closed)
    await this.#core.limit?.close()
    await this.#core.redis?.close()
    this.#core.loadTimeouts.close()
    this.#local.forgetAll()
    this.#events.clear()
  }

  /** Those of a call by which everything behind this knows them. */
  #keysOf(key: string | readonly string[], options: VersionOptions | undefined): readonly string[] {
    const keys = typeof key === 'string' ? [key] : key
    checkArray('key', keys, 'a non-empty string or an array of them')
    this.#assertOpen()
    for (const each of keys) checkKey(each)
    if (options !== undefined) checkVersionOptions(options)
    return keys.map((each) => this.#inVersion(each, options))
  }

  #tellOfTags(tags: readonly string[]): void {
    for (const path of new Set(tags.map(pathOf))) this.#events.invalidatedWithin(path)
  }

  /** Without repetition. */
  #distinctTags(tags: string | readonly string[]): readonly string[] {
    const all = typeof tags === 'string' ? [tags] : tags
    checkTagNames(all)
    this.#assertOpen()
    return [...new Set(all)]
  }

  /** The key of a call by which everything behind this knows it. Throws for what no call can honour, and after `close`. */
  #keyOf<V>(key: string, options: CallOptions<V> | undefined): string {
    checkKey(key)
    if (options !== undefined) checkCallOptions(options)
    this.#assertOpen()
    return this.#inVersion(key, options)
  }

  /** The key with the version that a call names, else with that of the cache, if it has one. */
  #inVersion(key: string, options?: VersionOptions): string {
    const version = options?.version ?? this.#core.options.version
    return version === undefined || typeof key !== 'string' ? key : withVersion(key, String(version))
  }

  #assertOpen(): void {
    this.#closing.signal.throwIfAborted()
  }

  /** A change that another process has made. */
  #apply(change: Change): void {
    this.#applyLocally(change)
    if ('key' in change) this.#events.invalidated(change.key)
    else this.#events.invalidatedWithin('tag' in change ? pathOf(change.tag) : change.path)
  }

  #applyLocally(change: Change): void {
    const local = this.#local
    switch (change.kind) {
      case 'key':
        return local.forget(change.key)
      case 'expired-key':
        return local.expire(change.key)
      case 'tag':
        return local.forgetTagged(change.tag)
      case 'expired-tag':
        return local.expireTagged(change.tag, change.over)
      case 'all':
        return this.#forgetWithin(change.path)
    }
  }
}
