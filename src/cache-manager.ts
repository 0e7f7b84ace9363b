/**
 * A cache with the interface of cache-manager 7.
 *
 * @module herdlock/cache-manager
 */
export { cacheManager } from './cache-manager/cache-manager.ts'
export type { CacheManager, ManagedWrapOptions } from './cache-manager/cache-manager.ts'
export type { CacheManagerEvents } from './cache-manager/events.ts'
