import type { AnyCache, WrapOptions } from './cache.ts'
import type { Claim } from './claim.ts'
import type { CallOptions, VersionOptions } from './options.ts'
import type { BatchLoader } from './refill/batch.ts'
import type { Loader } from './refill/loader-context.ts'

/**
 * A cache with a schema, which gives the type of all its values. Its methods are those of `Cache`. Loaders may return
 * anything: a value that the schema refuses is an `InvalidValueError`.
 */
export interface TypedCache<V> extends AnyCache {
  getOrRefill(key: string, loader: Loader<unknown, V>, options?: CallOptions<V>): Promise<V>
  getOrRefillMany(
    keys: readonly string[],
    loader: BatchLoader<unknown>,
    options?: CallOptions<V>,
  ): Promise<Map<string, V>>
  claim(key: string, options?: CallOptions<V>): Promise<Claim<V>>
  wrap<A extends unknown[]>(fn: (...args: A) => unknown, options: WrapOptions<A, V>): (...args: A) => Promise<V>
  peek(key: string, options?: VersionOptions): V | undefined
  get(key: string, options?: CallOptions<V>): Promise<V | undefined>
  set(key: string, value: V, options?: CallOptions<V>): Promise<void>
  namespace(name: string): TypedCache<V>
}
