import { checkArray, checkFunction, checkKey } from '../check.ts'
import type { Clock } from '../clock.ts'
import { ClosedError } from '../errors.ts'
import { fullKey, pathsAround } from '../full-key.ts'
import { pathInto } from '../redis/entry-keys.ts'
import type { Cache, WrapOptions } from './cache.ts'
import type { Claim } from './claim.ts'
import type { Sync } from './local/local.ts'
import type { CallOptions, ExpireOptions, VersionOptions } from './options.ts'
import { hitsFirst, peeksFirst, type KnownInMemory } from './read/hit-path.ts'
import type { BatchLoader } from './refill/batch.ts'
import type { Loader } from './refill/loader-context.ts'
import type { CacheEvent, CacheListener, Events } from './watch/events.ts'
import type { Producer, StreamOptions } from './stream/options.ts'
import { sharingBy } from './stream/partial-sharing.ts'
import type { SharedStream } from './stream/shared-stream.ts'
import { shareInside, type Inside } from './watch/inside.ts'
import type { CacheFlight, Inspection, LeaseListing } from './watch/inspection.ts'
import type { CacheStats } from './watch/stats.ts'
import { wrapped } from './wrap.ts'

/** The cache that contains a namespace: its methods, which take full keys, and functions besides them. */
export interface Whole {
  readonly cache: Cache
  readonly clock: Clock
  readonly inside: Omit<Inside, 'outcomes' | 'path'>
  readonly sync: Sync
  readonly events: Events
  /** Absent without memory. */
  readonly known: KnownInMemory | undefined
  /** `getOrRefill` and `peek` for all but fresh hits in memory. */
  readonly getOrRefill: Cache['getOrRefill']
  readonly peek: Cache['peek']
  clear(path: string): Promise<void>
  stats(path: string): CacheStats
  examine(key: string, options: VersionOptions | undefined, path: string): Promise<Inspection>
  flights(path: string): CacheFlight[]
  leases(previous: LeaseListing | undefined, path: string): Promise<LeaseListing>
}

/**
 * A cache under its own prefix inside another: a view that has only a path. It turns keys and tags into full ones on
 * their way in, and results and events back on their way out. The enclosing cache does the rest.
 */
export class Namespace implements Cache {
  readonly name: string
  readonly #whole: Whole
  readonly #path: string
  /** The prefix of full keys and tags. */
  readonly #beginning: string
  readonly #closing = new AbortController()
  /** Remove the listeners that were added here. */
  readonly #stops = new Set<() => void>()
  readonly #getOrRefill: Cache['getOrRefill']
  readonly #peek: Cache['peek']

  constructor(whole: Whole, name: string, path: string) {
    const { known, sync, clock, events, inside } = whole
    this.name = name
    this.#whole = whole
    this.#path = path
    this.#beginning = fullKey(path, '')
    const around = pathsAround(this.#beginning).map((each) => events.countsOf(each).counts)
    const hits = {
      hit(key: string) {
        for (const counts of around) counts.hit++
        events.hit(key)
      },
    }
    this.#getOrRefill = known ? hitsFirst(known, sync, clock, hits, whole.getOrRefill) : whole.getOrRefill
    this.#peek = known ? peeksFirst(known, sync, clock, whole.peek) : whole.peek
    shareInside(this, {
      ...whole.inside,
      outcomes: {
        hit: (key) => events.hitInMemory(this.#beginning + key),
        hitInRedis: (key) => events.hitInRedis(this.#beginning + key),
        stale: (key, tier) => events.stale(this.#beginning + key, tier),
        coalesced: (key) => events.coalesced(this.#beginning + key),
        unshared: (key, reason) => events.unshared(this.#beginning + key, reason),
      },
      partial: sharingBy(inside.partial, (key) => this.#beginning + key),
      path,
    })
  }

  readonly getOrRefill = <V, S = V>(key: string, loader: Loader<V, S>, options?: CallOptions<V>): Promise<V> => {
    try {
      return this.#getOrRefill(this.#full(key), loader, this.#withFullTags(options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  readonly getOrRefillMany = async <V>(
    keys: readonly string[],
    loader: BatchLoader<V>,
    options?: CallOptions<V>,
  ): Promise<Map<string, V>> => {
    checkArray('keys', keys, 'an array of non-empty strings')
    checkFunction('loader', loader)
    const full = keys.map((key) => this.#full(key))
    const load: BatchLoader<V> = async (asked, context) => {
      const values: unknown = await loader(asked.map(this.#own), context)
      return (values instanceof Map ? renamed(values, (key) => this.#beginning + key) : values) as Map<string, V>
    }
    return renamed(await this.#whole.cache.getOrRefillMany(full, load, this.#withFullTags(options)), this.#own)
  }

  readonly claim = async <V>(key: string, options?: CallOptions<V>): Promise<Claim<V>> =>
    this.#whole.cache.claim(this.#full(key), this.#withFullTags(options))

  readonly stream = <C>(key: string, producer: Producer<C>, options?: StreamOptions): SharedStream<C> =>
    this.#whole.cache.stream(this.#full(key), producer, this.#withFullTags(options))

  readonly wrap = <A extends unknown[], V>(
    fn: (...args: A) => V | Promise<V>,
    options: WrapOptions<A, V>,
  ): ((...args: A) => Promise<V>) => wrapped(this.getOrRefill, fn, options)

  readonly peek = <V>(key: string, options?: VersionOptions): V | undefined =>
    this.#peek(this.#beginning + key, options)

  readonly get = async <V>(key: string, options?: CallOptions<V>): Promise<V | undefined> =>
    this.#whole.cache.get(this.#full(key), this.#withFullTags(options))

  readonly set = async <V>(key: string, value: V, options?: CallOptions<V>): Promise<void> =>
    this.#whole.cache.set(this.#full(key), value, this.#withFullTags(options))

  readonly invalidate = async (key: string | readonly string[], options?: VersionOptions): Promise<void> =>
    this.#whole.cache.invalidate(this.#fullKeys(key), options)

  readonly expire = async (key: string | readonly string[], options?: VersionOptions): Promise<void> =>
    this.#whole.cache.expire(this.#fullKeys(key), options)

  readonly invalidateTags = async (tags: string | readonly string[]): Promise<void> =>
    this.#whole.cache.invalidateTags(this.#fullTags(tags))

  readonly expireTags = async (tags: string | readonly string[], options?: ExpireOptions): Promise<void> =>
    this.#whole.cache.expireTags(this.#fullTags(tags), options)

  readonly namespace = (name: string): Cache => {
    checkKey(name, 'name')
    this.#assertOpen()
    return new Namespace(this.#whole, `${this.name}/${name}`, pathInto(this.#path, name))
  }

  readonly clear = async (): Promise<void> => {
    this.#assertOpen()
    return this.#whole.clear(this.#path)
  }

  readonly stats = (): CacheStats => this.#whole.stats(this.#path)

  readonly examine = async (key: string, options?: VersionOptions): Promise<Inspection> =>
    this.#whole.examine(this.#full(key), options, this.#path)

  readonly flights = (): CacheFlight[] => this.#whole.flights(this.#path)

  readonly leases = async (previous?: LeaseListing): Promise<LeaseListing> => {
    this.#assertOpen()
    return this.#whole.leases(previous, this.#path)
  }

  readonly on = <E extends CacheEvent>(event: E, listener: CacheListener<E>): (() => void) => {
    checkFunction('listener', listener)
    const remove = this.#whole.events.on(event, listener, this.#path)
    const stop = (): void => {
      remove()
      this.#stops.delete(stop)
    }
    this.#stops.add(stop)
    return stop
  }

  readonly close = async (): Promise<void> => {
    this.#closing.abort(new ClosedError('namespace'))
    for (const stop of this.#stops) stop()
  }

  readonly #own = (full: string): string => full.slice(this.#beginning.length)

  /** Throws for an invalid key, and after `close`. */
  #full(key: string, option?: string): string {
    checkKey(key, option)
    this.#assertOpen()
    return this.#beginning + key
  }

  #fullKeys(key: string | readonly string[]): string[] {
    const keys = typeof key === 'string' ? [key] : key
    checkArray('key', keys, 'a non-empty string or an array of them')
    return keys.map((each) => this.#full(each))
  }

  #fullTags(tags: string | readonly string[]): string[] {
    const all = typeof tags === 'string' ? [tags] : tags
    checkArray('tags', all, 'an array of non-empty strings')
    return all.map((tag) => this.#full(tag, 'tag'))
  }

  #withFullTags<O extends Pick<CallOptions, 'tags'>>(options: O | undefined): O | undefined {
    const tags: unknown = options?.tags
    if (options === undefined || !Array.isArray(tags)) return options // absent, or refused by the cache
    return { ...options, tags: tags.map((tag: unknown) => this.#beginning + checkKey(tag, 'tag')) } as O
  }

  #assertOpen(): void {
    this.#closing.signal.throwIfAborted()
  }
}

function renamed<V>(values: ReadonlyMap<string, V>, rename: (key: string) => string): Map<string, V> {
  return new Map(Array.from(values, ([key, value]) => [rename(key), value]))
}
