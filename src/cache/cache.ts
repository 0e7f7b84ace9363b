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

/** Options of `wrap`: how arguments become a key, and the options of every call. */
export interface WrapOptions<A extends unknown[], V> extends CallOptions<V> {
  key: (...args: A) => string
}

/** Every method may be used detached from its object. All reject with `ClosedError` after `close`. */
export interface Cache extends AnyCache {
  /**
   * The value of `key`: from memory, from Redis, from a refill under way in this process or another, or by running
   * `loader`. Rejects with the loader's own reason, with `RefillFailedError` (it failed in another process),
   * `LoadTimeoutError`, `WaitTimeoutError`, `OverloadedError`, `ReentrantRefillError`, or `signal.reason`. Failures of
   * Redis never reject. With a schema, the loader may return anything, and the call may also reject with
   * `InvalidValueError`.
   */
  getOrRefill<T extends StandardSchemaV1>(
    key: string,
    loader: Loader<unknown, ValueOf<T>>,
    options: CallOptionsWith<T>,
  ): Promise<ValueOf<T>>
  getOrRefill<V, S = V>(key: string, loader: Loader<V, S>, options?: CallOptions<V>): Promise<V>
  /**
   * The values of many keys, with one call of `loader` for all keys that are neither stored nor being loaded. A key is
   * missing in the result if the loader had no value for it. Rejects, once all keys have settled, with the failure of the
   * first key that failed. Loaded values are still stored.
   */
  getOrRefillMany<T extends StandardSchemaV1>(
    keys: readonly string[],
    loader: BatchLoader<unknown>,
    options: CallOptionsWith<T>,
  ): Promise<Map<string, ValueOf<T>>>
  getOrRefillMany<V>(keys: readonly string[], loader: BatchLoader<V>, options?: CallOptions<V>): Promise<Map<string, V>>
  /**
   * The lowest level, for code that has no loader to pass. It says whether there is a value, whether this caller is to
   * make it, or whether somebody else does. The value given to `refill.settle` goes to all callers that wait in
   * `getOrRefill`, and the other way round. Rejects as `getOrRefill` does. `signal` ends the waiting; after that it
   * abandons the refill.
   */
  claim<T extends StandardSchemaV1>(key: string, options: CallOptionsWith<T>): Promise<Claim<ValueOf<T>>>
  claim<V>(key: string, options?: CallOptions<V>): Promise<Claim<V>>
  /**
   * A stream that is produced once for all readers, in all processes. Each reader gets at once what has come so far, and
   * the rest as it comes. A finished stream is an entry like any other; its value is the list of its chunks. Throws for
   * invalid options, after `close`, and on a cache that a middleware has made for itself.
   */
  stream<C>(key: string, producer: Producer<C>, options?: StreamOptions): SharedStream<C>
  /** A function that calls `fn` behind `getOrRefill`. */
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
  /** The value if it is fresh, in memory or in Redis; never loads. A failure of Redis counts as nothing found. */
  get<V>(key: string, options?: CallOptions<V>): Promise<V | undefined>
  /**
   * Stores a value. A refill under way does not overwrite it. Rejects with the error of Redis or of the codec, and with
   * `InvalidValueError` if the schema refuses the value.
   */
  set<V>(key: string, value: V, options?: CallOptions<V>): Promise<void>
  /**
   * A view of this cache under its own prefix, with its own keys, tags, events and counts. Two calls with the same name
   * give views of the same namespace. Its `clear` clears only the namespace; the `clear` of this cache clears it too. It
   * shares the options, memory and connections of this cache. `close` ends this view and its listeners, and nothing else.
   */
  namespace(name: string): Cache
}

/** What every cache has, whatever the type of its values. */
export interface AnyCache {
  /** The name in telemetry: the option `name`, else `prefix`. For a namespace, `/` and its own name follow. */
  readonly name: string
  /** Forgets values. Refills under way do not bring them back. Rejects with the error of Redis. */
  invalidate(key: string | readonly string[], options?: VersionOptions): Promise<void>
  /**
   * Forgets all values that have one of the tags. The results of loads that began before are not stored. Rejects with the
   * error of Redis.
   */
  invalidateTags(tags: string | readonly string[]): Promise<void>
  /**
   * Ends the ttl of entries now (a soft purge). Until it is refilled, a value is served within its stale windows. These
   * are counted from now, and end no later than they would have. A value without a window is forgotten. The results of
   * refills under way are not stored. Rejects with the error of Redis.
   */
  expire(key: string | readonly string[], options?: VersionOptions): Promise<void>
  /**
   * The same for all values that have one of the tags. With `over`, each expires at its own moment within that many ms,
   * so that they are not all refilled at once. Rejects with the error of Redis.
   */
  expireTags(tags: string | readonly string[], options?: ExpireOptions): Promise<void>
  /** Forgets all entries under the prefix, including those of namespaces, in all processes. Rejects with the error of Redis. */
  clear(): Promise<void>
  stats(): CacheStats
  /**
   * What memory and Redis know of a key: its state, the rest of its lifetime, its size and tags, and who refills it.
   * Meant for people. It costs a few plain commands and changes nothing. A failure of Redis is in `redisError`.
   */
  examine(key: string, options?: VersionOptions): Promise<Inspection>
  /** The flights under way in this process, the oldest first. */
  flights(): CacheFlight[]
  /**
   * The leases that are held now, by all processes that share the Redis and the prefix. One call makes at most 20 steps
   * of SCAN. If the answer is not `complete`, pass it as `previous` to another call, which continues. Rejects with the
   * error of Redis.
   */
  leases(previous?: LeaseListing): Promise<LeaseListing>
  /** Calls `listener` for every such event, until the returned function is called. */
  on<E extends CacheEvent>(event: E, listener: CacheListener<E>): () => void
  /** Aborts running loads, gives their leases back, and closes the connections that the cache itself has opened. */
  close(): Promise<void>
}
