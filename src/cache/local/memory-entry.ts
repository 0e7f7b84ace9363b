import { runOutside } from '../../outside.ts'
import type { Entry } from '../../store/entry.ts'

/** What an entry says besides its value and its end. Entries of the usual kind share one object. */
export interface Terms<V = unknown> {
  /** ms after its ttl for which it may be served stale. */
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** Where it is not `trustedUntil`. */
  readonly freshUntil: number | undefined
  /** End of memory's own ttl: after it, Redis is asked again. */
  readonly memoryUntil: number
  /** End of the trust in an entry that was kept while nobody told of changes. Infinity for one that was kept in sync. */
  readonly unsyncedUntil: number
  readonly tags: readonly string[]
  /** Makes a reader's own copy of a value that cannot be frozen. */
  readonly copy: (() => V) | undefined
}

/**
 * A promise that lives as long as an entry must not keep the request alive that happened to load it. On its own, since a
 * closure would make every hit allocate what it closes over.
 */
function promiseOf<V>(value: V): Promise<V> {
  return runOutside(() => Promise.resolve(value))
}

/**
 * An entry as memory keeps it, in as few words as there can be. Instants are those of the process's monotonic clock, in
 * whole ms: as small integers they lie in the object itself.
 */
export class MemoryEntry<V = unknown> implements Entry<V> {
  readonly value: V
  /** Until then a hit needs no further look. Never reached where every reader needs a copy of its own. See `expire`. */
  trustedUntil: number
  readonly loadTime: number
  #promise: Promise<V> | undefined
  /** See `expire`. */
  #terms: Terms<V>

  constructor(value: V, loadTime: number, trustedUntil: number, terms: Terms<V>) {
    this.value = value
    this.trustedUntil = trustedUntil
    this.loadTime = Math.ceil(loadTime)
    this.#promise = undefined
    this.#terms = terms
  }

  /** Resolved with the value: every hit returns this one promise, made at the first. Many entries never see one. */
  get promise(): Promise<V> {
    return this.#promise ?? this.#makePromise()
  }

  /** On its own, so that the getter is among the small functions that are always inlined. */
  #makePromise(): Promise<V> {
    return (this.#promise = promiseOf(this.value))
  }

  /** Ends its ttl before its time; the windows follow from there. `trustedUntil` must not be later. */
  expire(freshUntil: number, trustedUntil: number): void {
    this.#terms = { ...this.#terms, freshUntil }
    this.trustedUntil = trustedUntil
  }

  get freshUntil(): number {
    return this.#terms.freshUntil ?? this.trustedUntil
  }

  get staleUntil(): number {
    return this.freshUntil + this.#terms.staleWhileRevalidate
  }

  get errorUntil(): number {
    return this.freshUntil + this.#terms.staleIfError
  }

  get tags(): readonly string[] {
    return this.#terms.tags
  }

  get memoryUntil(): number {
    return this.#terms.memoryUntil
  }

  get unsyncedUntil(): number {
    return this.#terms.unsyncedUntil
  }

  get copy(): (() => V) | undefined {
    return this.#terms.copy
  }

  /** The reader's own copy of a value that cannot be frozen, or the value that all share. */
  read(): V {
    const { copy } = this.#terms
    return copy === undefined ? this.value : copy()
  }

  readLater(): Promise<V> {
    const { copy } = this.#terms
    return copy === undefined ? this.promise : Promise.resolve(copy())
  }
}
