import type { BatchLoader } from './refill/batch.ts'
import type { Claim } from './claim.ts'
import type { CacheEvent, CacheListener } from './watch/events.ts'
import type { CacheFlight, Inspection, LeaseListing } from './watch/inspection.ts'
import type { Loader } from './refill/loader-context.ts'
import type { CallOptions, CallOptionsWith, ExpireOptions, VersionOptions } from './options.ts'
import type { Producer, StreamOptions } from './stream/options.ts'
import type { SharedStream } from './stream/shared-stream.ts'
import type { StandardSchemaV1, ValueOf } from './schema/standard-schema.ts'
import type { CacheStats } from './watch/stats.ts'

/** Options of `wrap`: how arguments become a key, and what counts for every call. */
export interface WrapOptions<A extends unknown[], V> extends CallOptions<V> {
  key: (...args: A) => string
}

/** Every method may be used detached. All reject with `ClosedError` after `close`. */
export interface Cache extends AnyCache {
  /**
   * The value of `key`: from memory, from Redis, from a refill that is under way in this process or another, or by
   * running `loader`. Rejects with the loader's own reason, `RefillFailedError` (it failed in another process),
   * `LoadTimeoutError`, `WaitTimeoutError`, `ReentrantRefillError`, or `signal.reason`. Redis's failures never reject. With a
   * schema also with `InvalidValueError`; the loader may return what it likes then, for the schema tells what it is.
   */
  getOrRefill<T extends StandardSchemaV1>(
    key: string,
    loader: Loader<unknown, ValueOf<T>>,
    options: CallOptionsWith<T>,
  ): Promise<ValueOf<T>>
  getOrRefill<V, S = V>(key: string, loader: Loader<V, S>, options?: CallOptions<V>): Promise<V>
  /**
   * The values of many keys, by one call of `loader` for all that nobody else has or loads. Of the result a key is
   * missing that the loader had no value for. Rejects, once all have settled, with the failure of the first key that
   * failed; what was loaded is stored all the same.
   */
  getOrRefillMany<T extends StandardSchemaV1>(
    keys: readonly string[],
    loader: BatchLoader<unknown>,
    options: CallOptionsWith<T>,
  ): Promise<Map<string, ValueOf<T>>>
  getOrRefillMany<V>(keys: readonly string[], loader: BatchLoader<V>, options?: CallOptions<V>): Promise<Map<string, V>>
  /**
   * The lowest level, for code that cannot hand over a loader: says whether there is a value, whether this caller is to make
   * it, or whether somebody else does. A value that `refill.settle` is given goes to all who wait by `getOrRefill`, and the
   * other way round. Rejects as `getOrRefill` does. `signal` ends the waiting; later it abandons the refill.
   */
  claim<T extends StandardSchemaV1>(key: string, options: CallOptionsWith<T>): Promise<Claim<ValueOf<T>>>
  claim<V>(key: string, options?: CallOptions<V>): Promise<Claim<V>>
  /**
   * A stream that is produced once for all who ask for it, in all processes: each gets at once what has come, and the rest as
   * it comes. When it has ended it is an entry like any other, whose value is the list of its chunks. Throws for options that
   * cannot be honoured, after `close`, and on the cache that a middleware has made for itself.
   */
  stream<C>(key: string, producer: Producer<C>, options?: StreamOptions): SharedStream<C>
  /** `fn` behind `getOrRefill`. */
  wrap<A extends unknown[], T extends StandardSchemaV1>(
    fn: (...args: A) => unknown,
    options: WrapOptions<A, ValueOf<T>> & { schema: T },
  ): (...args: A) => Promise<ValueOf<T>>
  wrap<A extends unknown[], V>(
    fn: (...args: A) => V | Promise<V>,
    options: WrapOptions<A, V>,
  ): (...args: A) => Promise<V>
  /** The value if it is fresh in memory; never asks Redis. */
  peek<V>(key: string, options?: VersionOptions): V | undefined
  /** The value if it is fresh, in memory or in Redis; never loads. Redis's failures count as nothing found. */
  get<V>(key: string, options?: CallOptions<V>): Promise<V | undefined>
  /**
   * Stores a value; a refill that is under way will not overwrite it. Rejects with Redis's or the codec's error, and with
   * `InvalidValueError` for what the schema refuses.
   */
  set<V>(key: string, value: V, options?: CallOptions<V>): Promise<void>
  /**
   * A view of this cache under a prefix of its own, with keys, tags, events and counts of its own. Two calls with one
   * name give views of the same. Its `clear` clears it alone, this cache's clears it too. Its options, memory and
   * connections are this cache's. To `close` it ends this view and its listeners, and nothing else.
   */
  namespace(name: string): Cache
}

/** What every cache has, of whatever type its values are. */
export interface AnyCache {
  /** What telemetry calls it: the option `name`, else `prefix`; of a namespace, followed by `/` and its name. */
  readonly name: string
  /** Forgets values; refills that are under way will not bring them back. Rejects with Redis's error. */
  invalidate(key: string | readonly string[], options?: VersionOptions): Promise<void>
  /**
   * Forgets all values that have one of the tags, and keeps loads from being stored that began before. Rejects with
   * Redis's error.
   */
  invalidateTags(tags: string | readonly string[]): Promise<void>
  /**
   * Ends the ttl of entries now (a soft purge): until it is refilled, a value is served within its stale windows, which are
   * counted from now and end no later than they would have. One without a window is forgotten. Refills that are under way
   * are not stored. Rejects with Redis's error.
   */
  expire(key: string | readonly string[], options?: VersionOptions): Promise<void>
  /**
   * The same for all values that have one of the tags: now, or with `over`, each at a moment of its own within so many ms,
   * so that not all are refilled at once. Rejects with Redis's error.
   */
  expireTags(tags: string | readonly string[], options?: ExpireOptions): Promise<void>
  /** Forgets all entries under the prefix, those of namespaces too, in all processes. Rejects with Redis's error. */
  clear(): Promise<void>
  stats(): CacheStats
  /**
   * What is known of a key in memory and in Redis: its state, what is left of its lifetime, its size and tags, who
   * refills it. For people to look at; it costs some plain commands and changes nothing. That Redis fails is told in
   * `redisError`.
   */
  examine(key: string, options?: VersionOptions): Promise<Inspection>
  /** The flights that are under way in this process, those that began first before others. */
  flights(): CacheFlight[]
  /**
   * The leases that are held now, by all processes that share the Redis and the prefix. Found by SCAN, of which one call
   * makes 20 steps at most; unless the answer is `complete`, another call goes on, given that answer as `previous`.
   * Rejects with Redis's error.
   */
  leases(previous?: LeaseListing): Promise<LeaseListing>
  /** Calls `listener` at every such event until the returned function is called. */
  on<E extends CacheEvent>(event: E, listener: CacheListener<E>): () => void
  /** Aborts what is under way, gives leases back, and closes the connections that the cache itself has opened. */
  close(): Promise<void>
}
