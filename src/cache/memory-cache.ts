import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import type { Cache } from './cache.ts'
import { resolveOptions, type CacheOptions } from './options.ts'
import { RefillCache } from './refill-cache.ts'

/**
 * A cache only in this process, without streams. It is separate from `createCache`, so that a bundle of the middleware
 * without Redis has no code for Redis or for streams. Throws for invalid options.
 */
export function createMemoryCache(options: Omit<CacheOptions, 'redis'>, clock: Clock, random: Random): Cache {
  const resolved = resolveOptions(options, () => [])
  return new RefillCache(resolved, clock, random)
}
