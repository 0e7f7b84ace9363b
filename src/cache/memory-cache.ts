import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import type { Cache } from './cache.ts'
import { resolveOptions, type CacheOptions } from './options.ts'
import { RefillCache } from './refill-cache.ts'

/**
 * A cache in this process alone, without streams. Apart from `createCache`, so that whoever bundles the middleware without
 * Redis gets nothing that speaks to one, nor what streams stand on. Throws when an option cannot be honoured.
 */
export function createMemoryCache(options: Omit<CacheOptions, 'redis'>, clock: Clock, random: Random): Cache {
  const resolved = resolveOptions(options, () => [])
  return new RefillCache(resolved, clock, random)
}
