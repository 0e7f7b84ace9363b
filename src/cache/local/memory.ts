import { LRUCache } from 'lru-cache'
import { isWithin } from '../../full-key.ts'
import type { Life } from '../../store/entry.ts'
import type { ResolvedMemory } from '../options.ts'
import type { Interest } from './interest.ts'
import type { Isolated } from './isolation.ts'
import { earliestRefill } from './lifetime.ts'
import { MemoryEntry, type Terms } from './memory-entry.ts'

/** What bounds it. */
type Bounds = Pick<ResolvedMemory, 'maxEntries'> & Partial<Pick<ResolvedMemory, 'maxBytes' | 'ttl'>>

/** L1: the entries in this process, limited by lru-cache, and the cache's rules for them. Readers check the expiry. */
export class Memory {
  readonly #entries: LRUCache<string, MemoryEntry>
  readonly #ttl: number | undefined
  readonly #maxBytes: number | undefined
  readonly #beta: number
  /** Tag, in readable form, → keys of the entries that have it. */
  readonly #byTag = new Map<string, Set<string>>()
  readonly #interest: Interest | undefined
  #usual: Terms = termsOf(0, 0)

  /** `interest`: learns of which keys there are entries. */
  constructor({ maxEntries, maxBytes, ttl }: Bounds, beta: number, interest?: Interest) {
    this.#interest = interest
    this.#entries = new LRUCache({
      ...boundsOf(maxEntries, maxBytes),
      dispose: (entry, key) => {
        if (entry.tags.length > 0) this.#untag(entry, key)
        interest?.remove(key)
      },
    })
    this.#ttl = ttl
    this.#maxBytes = maxBytes
    this.#beta = beta
  }

  get size(): number {
    return this.#entries.size
  }

  /** The bytes of all encoded values. Unknown without `maxBytes`, because values are not encoded for memory then. */
  get bytes(): number | undefined {
    return this.#maxBytes === undefined ? undefined : this.#entries.calculatedSize
  }

  get<V>(key: string): MemoryEntry<V> | undefined {
    return this.#entries.get(key, PLAINLY) as MemoryEntry<V> | undefined
  }

  /** Like `get`, without counting as a use. */
  peek<V>(key: string): MemoryEntry<V> | undefined {
    return this.#entries.peek(key, PLAINLY) as MemoryEntry<V> | undefined
  }

  /**
   * Keeps a value. A value larger than `maxBytes` is not kept, the one that it would replace is dropped, and a
   * `RangeError` says so. After `unsyncedUntil` it is no longer trusted, because changes are not announced.
   */
  put<V>(
    key: string,
    life: Life,
    isolated: Isolated<V>,
    now: number,
    unsyncedUntil: number = Infinity,
  ): MemoryEntry<V> {
    const bytes = this.#maxBytes === undefined ? undefined : isolated.size()
    if (bytes !== undefined && bytes > (this.#maxBytes as number)) {
      this.#entries.delete(key)
      throw new RangeError(`a value of ${bytes} bytes is larger than memory.maxBytes (${String(this.#maxBytes)})`)
    }
    const { value, copy } = isolated
    const memoryUntil = this.#ttl === undefined ? Infinity : now + this.#ttl
    const freshUntil = Math.floor(life.freshUntil)
    const refillAt = this.#refillAt(life)
    const trustedUntil = copy === undefined ? Math.floor(Math.min(refillAt, memoryUntil, unsyncedUntil)) : -1
    const usual = this.#usualTermsOf(life)
    const isUsual = life.tags.length === 0 && unsyncedUntil === Infinity && trustedUntil === freshUntil
    const terms = isUsual ? usual : { ...usual, freshUntil, memoryUntil, unsyncedUntil, tags: life.tags, copy }
    const entry = new MemoryEntry<unknown>(value, life.loadTime, trustedUntil, terms)
    this.#interest?.add(key)
    this.#entries.set(key, entry, this.#sizeOf(bytes))
    for (const tag of life.tags) {
      const keys = this.#byTag.get(tag) ?? new Set()
      this.#byTag.set(tag, keys.add(key))
    }
    return entry as MemoryEntry<V>
  }

  /** Before this time no reader refills the entry. */
  #refillAt(timed: Pick<Life, 'freshUntil' | 'loadTime'>): number {
    return this.#beta > 0 ? earliestRefill(timed, this.#beta) : timed.freshUntil
  }

  /** The size of an entry; `undefined` if entries are counted. */
  #sizeOf(bytes: number | undefined): { size: number } | undefined {
    if (bytes !== undefined) return { size: Math.max(bytes, 1) } // what is empty takes room, too
    return this.#entries.max === 0 ? ONE : undefined
  }

  /** One object for all entries with the same windows, which are usually those of the cache's options. */
  #usualTermsOf({ freshUntil, staleUntil, errorUntil }: Life): Terms {
    const staleWhileRevalidate = Math.round(staleUntil - freshUntil)
    const staleIfError = Math.round(errorUntil - freshUntil)
    const usual = this.#usual
    if (usual.staleWhileRevalidate === staleWhileRevalidate && usual.staleIfError === staleIfError) return usual
    return (this.#usual = termsOf(staleWhileRevalidate, staleIfError))
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  /** Ends the ttl of an entry at that time, if not before. An entry without a window after it is dropped. */
  expire(key: string, instant: number, now: number): void {
    const entry = this.#entries.peek(key, PLAINLY)
    if (entry === undefined) return
    const freshUntil = Math.floor(instant)
    if (freshUntil < entry.freshUntil) {
      const refillAt = Math.floor(this.#refillAt({ freshUntil, loadTime: entry.loadTime }))
      entry.expire(freshUntil, Math.min(entry.trustedUntil, refillAt))
    }
    if (now >= Math.max(entry.freshUntil, entry.staleUntil, entry.errorUntil)) this.#entries.delete(key)
  }

  /** The same for all entries that have the tag, given in readable form, each at the time that `momentOf` returns. */
  expireTagged(tag: string, momentOf: (key: string) => number, now: number): void {
    for (const key of this.#byTag.get(tag) ?? []) this.expire(key, momentOf(key), now)
  }

  /** Forgets all entries that have the tag, given in readable form. */
  deleteTagged(tag: string): void {
    for (const key of this.#byTag.get(tag) ?? []) this.#entries.delete(key)
  }

  /** Forgets all entries in the namespace of that path. */
  deleteWithin(path: string): void {
    for (const key of this.#entries.keys()) if (isWithin(key, path)) this.#entries.delete(key)
  }

  /** Entries in the namespace of that path. Checks all entries. */
  sizeWithin(path: string): number {
    return path === '' ? this.size : Array.from(this.#entries.keys()).filter((key) => isWithin(key, path)).length
  }

  #untag(entry: MemoryEntry, key: string): void {
    for (const tag of entry.tags) {
      const keys = this.#byTag.get(tag)
      keys?.delete(key)
      if (keys?.size === 0) this.#byTag.delete(tag)
    }
  }

  clear(): void {
    this.#entries.clear()
  }
}

/** lru-cache allocates room for this many entries at once. */
const MOST_PREPARED = 2 ** 20

/** The options of lru-cache. If the number of entries is practically unlimited, its tables grow as needed. */
function boundsOf(maxEntries: number, maxBytes: number | undefined): { max: number } | { maxSize: number } {
  if (maxEntries > MOST_PREPARED) return { maxSize: maxBytes ?? maxEntries }
  return maxBytes === undefined ? { max: maxEntries } : { max: maxEntries, maxSize: maxBytes }
}

const NO_TAGS: readonly string[] = []

/** Shared by all look-ups, which would otherwise create an object each. */
const PLAINLY = {}
const ONE = { size: 1 }

function termsOf(staleWhileRevalidate: number, staleIfError: number): Terms {
  return {
    staleWhileRevalidate,
    staleIfError,
    freshUntil: undefined,
    memoryUntil: Infinity,
    unsyncedUntil: Infinity,
    tags: NO_TAGS,
    copy: undefined,
  }
}
