import { AsyncResource } from 'node:async_hooks'
import type { Entry } from '../store/entry.ts'

/** What few entries need: kept apart, because of the others there may be a million. */
interface Rare<V> {
  readonly tags: readonly string[]
  readonly copy: (() => V) | undefined
  readonly memoryUntil: number
  retryAt: number
  failures: number
}

const NO_TAGS: readonly string[] = []
/**
 * A promise remembers the asynchronous context in which it was made, on Node 20 with all that AsyncLocalStorages hold
 * there: one that lives as long as an entry would keep the request alive that happened to load it.
 */
const outside = new AsyncResource('herdlock')
/** Pause in ms after the first failed refill of a stale value, and the longest. */
const FIRST_RETRY = 1000
const LONGEST_RETRY = 30_000

/**
 * An entry as memory keeps it. Instants are those of the process's monotonic clock, cut to whole ms: as small integers
 * they lie in the object itself.
 */
export class MemoryEntry<V = unknown> implements Entry<V> {
  readonly value: V
  /** Resolved with the value: every hit returns this one promise. */
  readonly promise: Promise<V>
  /** Until then a hit needs no further look. Never reached where every reader needs a copy of its own. */
  readonly trustedUntil: number
  readonly freshUntil: number
  readonly staleUntil: number
  readonly errorUntil: number
  readonly loadTime: number
  #rare: Rare<V> | undefined

  constructor(
    entry: Entry<V>,
    trustedUntil: number,
    rare: { tags: readonly string[]; copy: (() => V) | undefined; memoryUntil: number },
  ) {
    this.value = entry.value
    this.promise = outside.runInAsyncScope(() => Promise.resolve(entry.value))
    this.trustedUntil = rare.copy === undefined ? Math.floor(trustedUntil) : -1
    this.freshUntil = Math.floor(entry.freshUntil)
    this.staleUntil = Math.floor(entry.staleUntil)
    this.errorUntil = Math.floor(entry.errorUntil)
    this.loadTime = Math.ceil(entry.loadTime)
    const isUsual = rare.tags.length === 0 && rare.copy === undefined && rare.memoryUntil === Infinity
    this.#rare = isUsual ? undefined : { ...rare, retryAt: 0, failures: 0 }
  }

  get tags(): readonly string[] {
    return this.#rare?.tags ?? NO_TAGS
  }

  /** End of memory's own ttl: after it, Redis is asked again. */
  get memoryUntil(): number {
    return this.#rare?.memoryUntil ?? Infinity
  }

  /** After a failed refill the stale value is served until then without another attempt. */
  get retryAt(): number {
    return this.#rare?.retryAt ?? 0
  }

  /** The reader's own copy of a value that cannot be frozen, or the value that all share. */
  read(): V {
    return this.#rare?.copy === undefined ? this.value : this.#rare.copy()
  }

  readLater(): Promise<V> {
    return this.#rare?.copy === undefined ? this.promise : Promise.resolve(this.#rare.copy())
  }

  /** Notes a failed refill: for a pause that doubles with each, the stale value is served without another attempt. */
  backOff(now: number): void {
    const rare = (this.#rare ??= { tags: NO_TAGS, copy: undefined, memoryUntil: Infinity, retryAt: 0, failures: 0 })
    rare.retryAt = now + Math.min(FIRST_RETRY * 2 ** rare.failures, LONGEST_RETRY)
    rare.failures++
  }
}
