/**
 * The caches of self-hosted Next 16, in Redis for all its processes.
 *
 * @module herdlock/next
 */
export { createIncrementalCacheHandler } from './next/incremental-cache-handler.ts'
export { createUseCacheHandler } from './next/use-cache-handler.ts'
export type { IncrementalCacheHandler } from './next/incremental-cache-handler.ts'
export type { NextHandlerOptions } from './next/options.ts'
export type { UseCacheEntry, UseCacheHandler } from './next/use-cache-handler.ts'
