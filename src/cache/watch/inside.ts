import type { Clock } from '../../clock.ts'
import type { Random } from '../../random.ts'
import type { Cache } from '../cache.ts'
import type { Events } from './events.ts'

/** How a call was answered. */
export type Outcomes = Pick<Events, 'hit' | 'hitInRedis' | 'stale' | 'coalesced'>

/** What code that builds on a cache may know about it. Not for users. */
interface Inside {
  /**
   * Code that answers from the cache's entries without asking it to load reports it here. Those answers count like the
   * cache's own.
   */
  readonly outcomes: Outcomes
  /** ms, both. */
  readonly ttl: number
  readonly loadTimeout: number
  /** Its clock and chance, for code that builds on it. */
  readonly doors: { readonly clock: Clock; readonly random: Random }
}

const byCache = new WeakMap<Cache, Inside>()

export function shareInside(cache: Cache, inside: Inside): void {
  byCache.set(cache, inside)
}

/** For a foreign cache nothing is counted, the ttl is unknown, and defaults apply. */
export function insideOf(cache: Cache): Partial<Inside> & { readonly loadTimeout: number } {
  return byCache.get(cache) ?? { loadTimeout: 30_000 }
}
