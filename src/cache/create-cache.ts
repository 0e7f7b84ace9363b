import { systemClock, type Clock } from '../clock.ts'
import { systemRandom, type Random } from '../random.ts'
import type { Cache } from './cache.ts'
import { RefillCache } from './refill-cache.ts'
import type { StandardSchemaV1, ValueOf } from './schema/standard-schema.ts'
import type { TypedCache } from './typed-cache.ts'
import { resolveOptions, type CacheOptions } from './options.ts'

/** A cache in memory and, with `redis`, in all processes that share it. Throws when an option cannot be honoured. */
export function createCache<T extends StandardSchemaV1>(options: CacheOptions & { schema: T }): TypedCache<ValueOf<T>>
export function createCache(options: CacheOptions): Cache
export function createCache(options: CacheOptions): Cache {
  return createCacheOn(options, systemClock, systemRandom)
}

/** For tests, which own time and chance. */
export function createCacheOn(options: CacheOptions, clock: Clock, random: Random): Cache {
  return new RefillCache(resolveOptions(options), clock, random)
}
