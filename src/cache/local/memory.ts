import { defaultCodec, type Codec } from '../../store/codec.ts'
import type { Entry } from '../../store/entry.ts'
import { freezePlain } from './isolation.ts'
import { MemoryStore } from '../../store/memory-store.ts'
import { earliestRefill } from './lifetime.ts'
import { MemoryEntry, type Terms } from './memory-entry.ts'
import type { ResolvedMemory } from '../options.ts'

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

/** L1: the entries in this process, and the cache's rules for them. */
export class Memory {
  readonly #entries: MemoryStore<MemoryEntry>
  readonly #ttl: number | undefined
  readonly #maxBytes: number | undefined
  readonly #beta: number
  /** With tracking: the name under which an entry is told of, kept like a further tag; no tag has a brace. */
  readonly #valueKeyOf: ((key: string) => string) | undefined
  /** Tag, in readable form, → keys of the entries that have it. */
  readonly #byTag = new Map<string, Set<string>>()
  #usual: Terms = termsOf(0, 0)

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

  /** Of all encoded values; unknown without `maxBytes`: they are not encoded for memory then. */
  get bytes(): number | undefined {
    return this.#maxBytes === undefined ? undefined : this.#entries.bytes
  }

  get<V>(key: string): MemoryEntry<V> | undefined {
    return this.#entries.get(key) as MemoryEntry<V> | undefined
  }

  /** Like `get`, without counting as a use. */
  peek<V>(key: string): MemoryEntry<V> | undefined {
    return this.#entries.peek(key) as MemoryEntry<V> | undefined
  }

  /**
   * Keeps an entry; `isolated` is what `isolate` made of its value. `bytes` is the size of the encoded value, needed
   * where `maxBytes` is set: a larger value is not kept, and `RangeError` tells so.
   */
  put<V>(key: string, entry: Entry<V>, isolated: Isolated<V>, now: number): void {
    const bytes = this.#maxBytes === undefined ? undefined : isolated.encode().byteLength
    if (bytes !== undefined && bytes > (this.#maxBytes as number)) {
      this.#entries.delete(key)
      throw new RangeError(`a value of ${bytes} bytes is larger than memory.maxBytes (${String(this.#maxBytes)})`)
    }
    const memoryUntil = this.#ttl === undefined ? Infinity : now + this.#ttl
    const freshUntil = Math.floor(entry.freshUntil)
    const until = Math.min(this.#beta > 0 ? earliestRefill(entry, this.#beta) : freshUntil, memoryUntil)
    const trustedUntil = isolated.copy === undefined ? Math.floor(until) : -1
    const tags = this.#valueKeyOf === undefined ? entry.tags : [...entry.tags, this.#valueKeyOf(key)]
    const usual = this.#usualTermsOf(entry)
    const isUsual = tags.length === 0 && memoryUntil === Infinity && trustedUntil === freshUntil
    const terms = isUsual ? usual : { ...usual, freshUntil, memoryUntil, tags, copy: isolated.copy }
    const kept = new MemoryEntry<unknown>(entry, trustedUntil, terms)
    this.#entries.set(key, kept, bytes)
    for (const tag of tags) {
      const keys = this.#byTag.get(tag) ?? new Set()
      this.#byTag.set(tag, keys.add(key))
    }
  }

  /** One object for all entries of the same windows, which as a rule are those of the cache's options. */
  #usualTermsOf({ freshUntil, staleUntil, errorUntil }: Entry): Terms {
    const staleWhileRevalidate = Math.round(staleUntil - freshUntil)
    const staleIfError = Math.round(errorUntil - freshUntil)
    const usual = this.#usual
    if (usual.staleWhileRevalidate === staleWhileRevalidate && usual.staleIfError === staleIfError) return usual
    return (this.#usual = termsOf(staleWhileRevalidate, staleIfError))
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

const NO_TAGS: readonly string[] = []

function termsOf(staleWhileRevalidate: number, staleIfError: number): Terms {
  return {
    staleWhileRevalidate,
    staleIfError,
    freshUntil: undefined,
    memoryUntil: Infinity,
    tags: NO_TAGS,
    copy: undefined,
  }
}
