import type { Clock } from '../../clock.ts'
import type { Random } from '../../random.ts'
import type { Cache } from '../cache.ts'
import type { Events } from './events.ts'

/** How a call was answered. */
export type Outcomes = Pick<Events, 'hit' | 'hitInRedis' | 'stale' | 'coalesced'>

/** What is known of a cache by those who build on it, and is no business of its users. */
interface Inside {
  /**
   * Where whoever answers from what the cache holds, without asking it to load, says so: those answers count like its
   * own.
   */
  readonly outcomes: Outcomes
  /** ms, both. */
  readonly ttl: number
  readonly loadTimeout: number
  /** Its doors of time and chance, by which those go who build on it. */
  readonly doors: { readonly clock: Clock; readonly random: Random }
}

const byCache = new WeakMap<Cache, Inside>()

export function shareInside(cache: Cache, inside: Inside): void {
  byCache.set(cache, inside)
}

/** For a cache that is none of ours nothing is counted, its ttl is not known, and the default counts. */
export function insideOf(cache: Cache): Partial<Inside> & { readonly loadTimeout: number } {
  return byCache.get(cache) ?? { loadTimeout: 30_000 }
}
