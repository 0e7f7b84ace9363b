import type { Execution } from '../../flight/execution.ts'
import type { Waiter } from '../../flight/flight.ts'
import { duration } from '../../check.ts'
import { fullKey, ownKey, pathOf } from '../../full-key.ts'
import { withoutVersion } from '../../key-version.ts'
import { checkTags, type Lifetime } from '../options.ts'
import type { Lease } from '../shared/lease.ts'

/**
 * Produces the value of a key. It may return the value or a promise of it. `S` is the type of the stale value, by default
 * the same. It is a separate parameter so that `V` is inferred from the loader's result even if it uses its context.
 */
export type Loader<V, S = V> = (context: LoaderContext<S>) => V | Promise<V>

/** What a loader is told, and what it can say about its result. Its functions may be used detached. */
export interface LoaderContext<V> {
  readonly key: string
  /**
   * Aborts when the result is no longer of use: nobody waits for it, `loadTimeout` is over, the lease was lost
   * (reason: `LockLostError`), or the cache was closed (`ClosedError`).
   */
  readonly signal: AbortSignal
  /** The value being replaced, if one is still stored. */
  readonly stale: V | undefined
  /** Whether the callers have already got the stale value. */
  readonly background: boolean
  /**
   * Lifetime of this result, if it is known only after loading; overrides the call's and the cache's options. A `ttl`
   * of 0 makes the result stale from the start. Tags add to those of the call.
   */
  cacheFor(options: Lifetime & { tags?: readonly string[] | undefined }): void
  /** Waiting callers get the result, but it is not stored. */
  doNotStore(): void
  /**
   * Return this if the source says that nothing has changed since `stale` was loaded, as with a 304. The stored value gets a
   * new life and keeps its tags. It is not encoded or sent to Redis again. Throws `TypeError` if nothing is stale.
   */
  unchanged(): V
  /**
   * The result is for this caller alone. Acts at once: waiting callers, in every process, are released to load for
   * themselves, and for a few seconds later callers do not wait at all (hit-for-pass).
   */
  doNotShare(): void
}

/** Whether a load is for its caller alone, because `doNotShare` was called lately. Others load for themselves. */
export function isPassed<V>(context: LoaderContext<V>): boolean {
  return context instanceof LoadRecord && context.sharing === 'do-not-share'
}

/** Who shares the result of a load, until the loader forbids it. */
export interface Sharer {
  doNotShare(): void
}

/** Most loaders say nothing. */
const NO_LIFETIME: Lifetime = {}
const NO_TAGS: readonly string[] = []

/** Collects what the loader says about its result. */
export class LoadRecord<V> implements LoaderContext<V> {
  /** With its namespace and version. Not for loaders. */
  readonly fullKey: string
  readonly background: boolean
  lifetime: Lifetime = NO_LIFETIME
  /** In full form, like keys. */
  tags: readonly string[] = NO_TAGS
  /** `share`: waiters get the result and it is stored. */
  sharing: 'share' | 'do-not-store' | 'do-not-share' = 'share'
  /** Not for loaders, like the fields below. */
  readonly execution: Execution
  /** The load, while it runs. */
  running: { allow(ms: number): void } | undefined = undefined
  /** The lease under which the result is stored, if there is one. Set when the load begins. */
  lease: Lease | undefined = undefined
  /** The number of the last change that was known when the result was requested. Set when the load begins. */
  since = 0
  /** The flight that gets the result, if there is one. */
  readonly flight: Waiter | undefined
  readonly #sharer: Sharer
  /** Absent once it has been read, or if nothing is stored. */
  #readStale: (() => V) | undefined
  #stale: V | undefined
  readonly #hasStale: boolean
  #saidUnchanged = false

  constructor(
    fullKey: string,
    execution: Execution,
    readStale: (() => V) | undefined,
    background: boolean,
    sharer: Sharer,
    flight: Waiter | undefined,
  ) {
    this.fullKey = fullKey
    this.execution = execution
    this.#readStale = readStale
    this.#hasStale = readStale !== undefined
    this.background = background
    this.#sharer = sharer
    this.flight = flight
  }

  get key(): string {
    return ownKey(withoutVersion(this.fullKey))
  }

  get signal(): AbortSignal {
    return this.execution.signal
  }

  /** Read only on demand, because reading may copy it. */
  get stale(): V | undefined {
    const read = this.#readStale
    this.#readStale = undefined
    if (read !== undefined) this.#stale = read()
    return this.#stale
  }

  // Functions that may be used detached are made on demand: most loaders use none.
  get cacheFor(): LoaderContext<V>['cacheFor'] {
    return (options) => this.#cacheFor(options)
  }

  get doNotStore(): () => void {
    return () => {
      if (this.sharing === 'share') this.sharing = 'do-not-store'
    }
  }

  get unchanged(): () => V {
    return () => {
      if (!this.#hasStale)
        throw new TypeError('unchanged() must not be called without a stale value: see context.stale')
      this.#saidUnchanged = true
      return this.stale as V
    }
  }

  /** Whether the loader has returned what `unchanged` gave it. */
  isUnchanged(value: V): boolean {
    return this.#saidUnchanged && Object.is(value, this.stale)
  }

  get doNotShare(): () => void {
    return () => {
      if (this.sharing === 'do-not-share') return
      this.sharing = 'do-not-share'
      this.#sharer.doNotShare()
    }
  }

  #cacheFor(options: Lifetime & { tags?: readonly string[] | undefined }): void {
    const { ttl, staleWhileRevalidate, staleIfError, tags } = options
    if (tags !== undefined) {
      checkTags(tags)
      const path = pathOf(this.fullKey)
      this.tags = [...this.tags, ...tags.map((tag) => fullKey(path, tag))]
    }
    const said: Lifetime = {}
    if (ttl !== undefined) said.ttl = duration('ttl', ttl)
    if (staleWhileRevalidate !== undefined) {
      said.staleWhileRevalidate = duration('staleWhileRevalidate', staleWhileRevalidate)
    }
    if (staleIfError !== undefined) said.staleIfError = duration('staleIfError', staleIfError)
    this.lifetime = { ...this.lifetime, ...said }
  }
}
