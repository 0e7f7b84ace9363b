import { AsyncResource } from 'node:async_hooks'
import type { Entry } from '../store/entry.ts'
import type { Kept } from '../store/memory-store.ts'

/** How long an entry may be served after its ttl, in ms. Entries of the same windows share one object. */
export interface Windows {
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
}

/** What few entries need: kept apart, because of the others there may be a million. */
interface Rare<V> {
  readonly freshUntil: number
  readonly memoryUntil: number
  readonly tags: readonly string[]
  readonly copy: (() => V) | undefined
}

const NO_TAGS: readonly string[] = []
/**
 * A promise remembers the asynchronous context in which it was made, on Node 20 with all that AsyncLocalStorages hold
 * there: one that lives as long as an entry would keep the request alive that happened to load it.
 */
const outside = new AsyncResource('herdlock')

/** On its own, since a closure would make every hit allocate what it closes over. */
function promiseOf<V>(value: V): Promise<V> {
  return outside.runInAsyncScope(() => Promise.resolve(value))
}

/**
 * An entry as memory keeps it, in as few words as there can be. Instants are those of the process's monotonic clock, cut
 * to whole ms: as small integers they lie in the object itself.
 */
export class MemoryEntry<V = unknown> implements Entry<V>, Kept {
  readonly value: V
  /** Until then a hit needs no further look. Never reached where every reader needs a copy of its own. */
  readonly trustedUntil: number
  readonly loadTime: number
  used = false
  readonly #windows: Windows
  /** Made at the first hit: many entries never see one. */
  #promise: Promise<V> | undefined
  readonly #rare: Rare<V> | undefined

  constructor(
    entry: Entry<V>,
    trustedUntil: number,
    windows: Windows,
    { tags, copy, memoryUntil }: { tags: readonly string[]; copy: (() => V) | undefined; memoryUntil: number },
  ) {
    const freshUntil = Math.floor(entry.freshUntil)
    this.value = entry.value
    this.trustedUntil = copy === undefined ? Math.floor(trustedUntil) : -1
    this.loadTime = Math.ceil(entry.loadTime)
    this.#windows = windows
    this.#promise = undefined
    const isUsual = tags.length === 0 && memoryUntil === Infinity && this.trustedUntil === freshUntil
    this.#rare = isUsual ? undefined : { freshUntil, memoryUntil, tags, copy }
  }

  /** Resolved with the value: every hit returns this one promise. */
  get promise(): Promise<V> {
    return this.#promise ?? (this.#promise = promiseOf(this.value))
  }

  get freshUntil(): number {
    return this.#rare?.freshUntil ?? this.trustedUntil
  }

  get staleUntil(): number {
    return this.freshUntil + this.#windows.staleWhileRevalidate
  }

  get errorUntil(): number {
    return this.freshUntil + this.#windows.staleIfError
  }

  get tags(): readonly string[] {
    return this.#rare?.tags ?? NO_TAGS
  }

  /** End of memory's own ttl: after it, Redis is asked again. */
  get memoryUntil(): number {
    return this.#rare?.memoryUntil ?? Infinity
  }

  /** The reader's own copy of a value that cannot be frozen, or the value that all share. */
  read(): V {
    return this.#rare?.copy === undefined ? this.value : this.#rare.copy()
  }

  readLater(): Promise<V> {
    return this.#rare?.copy === undefined ? this.promise : Promise.resolve(this.#rare.copy())
  }
}
