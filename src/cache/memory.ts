import { defaultCodec, type Codec } from '../store/codec.ts'
import type { Entry } from '../store/entry.ts'
import { freezePlain } from '../store/isolation.ts'
import { MemoryStore } from '../store/memory-store.ts'
import { earliestRefill } from './lifetime.ts'
import type { ResolvedMemory } from './options.ts'

/** An entry as memory keeps it; instants are those of the process's monotonic clock. */
export interface MemoryEntry<V = unknown> extends Entry<V> {
  /** Until then a hit needs no further look. Never reached where every reader needs a copy of its own. */
  readonly trustedUntil: number
  /** Resolved with the value: every hit returns this one promise. */
  readonly promise: Promise<V>
  /** Makes the reader's own copy of a value that cannot be frozen; absent where the value itself may be shared. */
  readonly copy: (() => V) | undefined
  /** End of memory's own ttl: after it, Redis is asked again. */
  readonly memoryUntil: number
  /** After a failed refill the stale value is served until then without another attempt. */
  retryAt: number
  /** Refills in a row that have failed; each doubles the pause before the next. */
  failures: number
}

/** A value that is about to be seen by more than one caller. */
export interface Isolated<V> {
  /** Makes a reader's own copy; absent where the value itself may be shared. */
  readonly copy: (() => V) | undefined
  /** The encoded value, made at the first call. Throws as the codec does. */
  encode(): Uint8Array
}

/**
 * Keeps what one caller does to a value from the next: plain values are frozen, of others each later reader gets a
 * copy. To be called before any caller has the value. A value that its caller brings a codec of its own for is shared
 * as it is, and so is one that memory will not keep. Throws `SerializationError` for what can be neither frozen nor
 * copied.
 */
export function isolate<V>(value: V, codec: Codec<V>, isKept: boolean): Isolated<V> {
  let encoded: Uint8Array | undefined
  const encode = (): Uint8Array => (encoded ??= codec.encode(value))
  if (!isKept || codec !== (defaultCodec as Codec<V>) || freezePlain(value)) return { copy: undefined, encode }
  const original = encode()
  // `slice` of a Buffer would be a view on the same bytes.
  return { copy: () => codec.decode(new Uint8Array(original)), encode }
}

/** Pause in ms after the first failed refill of a stale value, and the longest. */
const FIRST_RETRY = 1000
const LONGEST_RETRY = 30_000

/** L1: the entries in this process, and the cache's rules for them. */
export class Memory {
  readonly #entries: MemoryStore<MemoryEntry>
  readonly #ttl: number
  readonly #maxBytes: number | undefined

  readonly #beta: number
  /** With tracking: the name under which an entry is told of, kept like a further tag; no tag has a brace. */
  readonly #valueKeyOf: ((key: string) => string) | undefined
  /** Tag, in readable form, → keys of the entries that have it. */
  readonly #byTag = new Map<string, Set<string>>()

  constructor(options: ResolvedMemory, beta: number, valueKeyOf?: (key: string) => string) {
    this.#entries = new MemoryStore(options.maxEntries, options.maxBytes, (entry, key) => {
      if (entry.tags.length > 0) this.#untag(entry, key)
    })
    this.#ttl = options.ttl
    this.#maxBytes = options.maxBytes
    this.#beta = beta
    if (options.tracking) this.#valueKeyOf = valueKeyOf
  }

  get size(): number {
    return this.#entries.size
  }

  get<V>(key: string): MemoryEntry<V> | undefined {
    return this.#entries.get(key) as MemoryEntry<V> | undefined
  }

  /**
   * Keeps an entry; `isolated` is what `isolate` made of its value. `bytes` is the size of the encoded value, needed
   * where `maxBytes` is set: a larger value is not kept, and `RangeError` tells so.
   */
  put<V>(key: string, entry: Entry<V>, isolated: Isolated<V>, now: number): void {
    const { copy } = isolated
    const bytes = this.#maxBytes === undefined ? undefined : isolated.encode().byteLength
    if (bytes !== undefined && bytes > (this.#maxBytes as number)) {
      this.#entries.delete(key)
      throw new RangeError(`a value of ${bytes} bytes is larger than memory.maxBytes (${String(this.#maxBytes)})`)
    }
    const memoryUntil = now + this.#ttl
    const tags = this.#valueKeyOf === undefined ? entry.tags : [...entry.tags, this.#valueKeyOf(key)]
    const trustedUntil = Math.min(this.#beta > 0 ? earliestRefill(entry, this.#beta) : entry.freshUntil, memoryUntil)
    const kept: MemoryEntry<V> = {
      value: entry.value,
      freshUntil: entry.freshUntil,
      staleUntil: entry.staleUntil,
      errorUntil: entry.errorUntil,
      loadTime: entry.loadTime,
      tags,
      trustedUntil: copy === undefined ? trustedUntil : -Infinity,
      promise: Promise.resolve(entry.value),
      copy,
      memoryUntil,
      retryAt: 0,
      failures: 0,
    }
    this.#entries.set(key, kept as MemoryEntry, bytes)
    for (const tag of tags) {
      const keys = this.#byTag.get(tag) ?? new Set()
      this.#byTag.set(tag, keys.add(key))
    }
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  /** Forgets all entries that have the tag, named in readable form, or with tracking stand in Redis under that key. */
  deleteTagged(tag: string): void {
    for (const key of this.#byTag.get(tag) ?? []) this.#entries.delete(key)
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

/** The reader's own value of an entry, or the one that all share. */
export function valueOf<V>(entry: MemoryEntry<V>): V {
  return entry.copy === undefined ? entry.value : entry.copy()
}

export function promiseOf<V>(entry: MemoryEntry<V>): Promise<V> {
  return entry.copy === undefined ? entry.promise : Promise.resolve(entry.copy())
}

/** Notes a failed refill: for a growing pause the stale value is served without another attempt. */
export function backOff(entry: MemoryEntry, now: number): void {
  entry.retryAt = now + Math.min(FIRST_RETRY * 2 ** entry.failures, LONGEST_RETRY)
  entry.failures++
}
