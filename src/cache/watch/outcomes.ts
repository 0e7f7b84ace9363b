import type { Cache } from '../cache.ts'
import type { Events } from './events.ts'

/** How a call was answered. */
export type Outcomes = Pick<Events, 'hit' | 'hitInRedis' | 'stale' | 'coalesced'>

const byCache = new WeakMap<Cache, Outcomes>()

/** Says where `cache` counts its answers. */
export function shareOutcomes(cache: Cache, outcomes: Outcomes): void {
  byCache.set(cache, outcomes)
}

/**
 * Where whoever answers from what a cache holds, without asking it to load, says so: those answers count like its own.
 * `undefined` for a cache that is none of ours.
 */
export function outcomesOf(cache: Cache): Outcomes | undefined {
  return byCache.get(cache)
}
