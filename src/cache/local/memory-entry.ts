import { runOutside } from '../../outside.ts'
import type { Entry } from '../../store/entry.ts'

/** The fields of an entry besides its value and its end. Usual entries share one object. */
export interface Terms<V = unknown> {
  /** ms after its ttl in which it may be served stale. */
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** Its end, if that differs from `trustedUntil`. */
  readonly freshUntil: number | undefined
  /** End of memory's own ttl. After that, Redis is asked again. */
  readonly memoryUntil: number
  /**
   * End of the trust in an entry that was kept while changes were not announced. Infinity for an entry that was kept in
   * sync.
   */
  readonly unsyncedUntil: number
  readonly tags: readonly string[]
  /** Makes a copy for each reader of a value that cannot be frozen. */
  readonly copy: (() => V) | undefined
}

/**
 * A promise that lives as long as an entry must not keep the request alive that loaded it. This is a separate function,
 * because a closure would make every hit allocate what it closes over.
 */
function promiseOf<V>(value: V): Promise<V> {
  return runOutside(() => Promise.resolve(value))
}

/**
 * An entry in memory, as small as possible. Times are whole ms on the process's monotonic clock: as small integers they
 * are stored in the object itself.
 */
export class MemoryEntry<V = unknown> implements Entry<V> {
  readonly value: V
  /** Until then a hit needs no further check. In the past if every reader needs its own copy. See `expire`. */
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

  /** Resolved with the value. Every hit returns this one promise, created at the first hit. Many entries never have a hit. */
  get promise(): Promise<V> {
    return this.#promise ?? this.#makePromise()
  }

  /** A separate function, so that the getter is small enough to be always inlined. */
  #makePromise(): Promise<V> {
    return (this.#promise = promiseOf(this.value))
  }

  /** Ends its ttl early; the windows start from there. `trustedUntil` must not be later. */
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

  /** A copy for this reader if the value cannot be frozen, otherwise the value that all share. */
  read(): V {
    const { copy } = this.#terms
    return copy === undefined ? this.value : copy()
  }

  readLater(): Promise<V> {
    const { copy } = this.#terms
    return copy === undefined ? this.promise : Promise.resolve(copy())
  }
}
