import type { Execution } from '../../flight/execution.ts'
import type { Waiter } from '../../flight/flight.ts'
import { duration } from '../../check.ts'
import { fullKey, ownKey, pathOf } from '../../full-key.ts'
import { withoutVersion } from '../../key-version.ts'
import { checkTags, type Lifetime } from '../options.ts'
import type { Lease } from '../shared/lease.ts'

/**
 * Produces the value of a key. It may return the value or a promise of it. `S` is the type of the stale value, by default
 * the same: with a name of its own, `V` is inferred from what the loader returns also where it uses its context.
 */
export type Loader<V, S = V> = (context: LoaderContext<S>) => V | Promise<V>

/** What a loader is told, and what it may say about its result. Its functions may be used detached. */
export interface LoaderContext<V> {
  readonly key: string
  /**
   * Aborts when the result is of no use any more: nobody waits for it, `loadTimeout` is over, the lease was lost
   * (reason: `LockLostError`), or the cache was closed (`ClosedError`).
   */
  readonly signal: AbortSignal
  /** The value that is being replaced, if one is still stored. */
  readonly stale: V | undefined
  /** Whether the callers have been served the stale value already. */
  readonly background: boolean
  /**
   * Lifetime of this result, where it is known only after loading; overrides the call's and the cache's options. A `ttl`
   * of 0 makes the result stale from the start. Tags add to those of the call.
   */
  cacheFor(options: Lifetime & { tags?: readonly string[] | undefined }): void
  /** Those who wait get the result; nobody keeps it. */
  doNotStore(): void
  /**
   * To be returned where the source says that nothing has changed since `stale` was loaded, as by a 304: the stored value
   * gets a new life and keeps its tags, without being encoded or sent to Redis. Throws `TypeError` where nothing is stale.
   */
  unchanged(): V
  /**
   * The result is for this caller alone. Acts at once: those who wait, in every process, are released to load for
   * themselves, and for a few seconds those who follow do not wait at all (hit-for-pass).
   */
  doNotShare(): void
}

/** Whether a load is its caller's alone, because somebody has called `doNotShare` lately: others load for themselves. */
export function isPassed<V>(context: LoaderContext<V>): boolean {
  return context instanceof LoadRecord && context.sharing === 'do-not-share'
}

/** Collects what the loader says about its result. */
export class LoadRecord<V> implements LoaderContext<V> {
  /** With its namespace and version. Not for loaders. */
  readonly fullKey: string
  readonly background: boolean
  readonly lifetime: Lifetime = {}
  /** In full form, as keys. */
  readonly tags: string[] = []
  /** `share`: waiters get it and it is stored. */
  sharing: 'share' | 'do-not-store' | 'do-not-share' = 'share'
  /** Not for loaders, nor are the next two. */
  readonly execution: Execution
  /** Gives the load so many ms from now on, in place of what is left of its time. Set while it runs. */
  allow: ((ms: number) => void) | undefined = undefined
  /** The lease under which the result is stored, if it is. Set when the load begins. */
  lease: Lease | undefined = undefined
  /** The number of the last change that was known when the result was asked for. Set when the load begins. */
  since = 0
  /** The flight that gets the result, if one does. */
  readonly flight: Waiter | undefined
  readonly #onDoNotShare: () => void
  /** Absent once it was read, and where nothing is stored. */
  #readStale: (() => V) | undefined
  #stale: V | undefined
  readonly #hasStale: boolean
  #saidUnchanged = false

  constructor(
    fullKey: string,
    execution: Execution,
    readStale: (() => V) | undefined,
    background: boolean,
    onDoNotShare: () => void,
    flight?: Waiter,
  ) {
    this.fullKey = fullKey
    this.execution = execution
    this.#readStale = readStale
    this.#hasStale = readStale !== undefined
    this.background = background
    this.#onDoNotShare = onDoNotShare
    this.flight = flight
  }

  get key(): string {
    return ownKey(withoutVersion(this.fullKey))
  }

  get signal(): AbortSignal {
    return this.execution.signal
  }

  /** Read when it is asked for: it may be a copy. */
  get stale(): V | undefined {
    const read = this.#readStale
    this.#readStale = undefined
    if (read !== undefined) this.#stale = read()
    return this.#stale
  }

  // Functions that may be used detached are made when they are asked for: most loaders use none.
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
      this.#onDoNotShare()
    }
  }

  #cacheFor(options: Lifetime & { tags?: readonly string[] | undefined }): void {
    const { ttl, staleWhileRevalidate, staleIfError, tags } = options
    if (tags !== undefined) {
      checkTags(tags)
      const path = pathOf(this.fullKey)
      this.tags.push(...tags.map((tag) => fullKey(path, tag)))
    }
    if (ttl !== undefined) this.lifetime.ttl = duration('ttl', ttl)
    if (staleWhileRevalidate !== undefined) {
      this.lifetime.staleWhileRevalidate = duration('staleWhileRevalidate', staleWhileRevalidate)
    }
    if (staleIfError !== undefined) this.lifetime.staleIfError = duration('staleIfError', staleIfError)
  }
}
