import type { Clock } from '../../clock.ts'
import type { Random } from '../../random.ts'
import type { FleetLine } from '../../redis/fleet-line.ts'
import type { AnyCache } from '../cache.ts'
import { NO_PARTIAL_SHARING, type PartialSharing } from '../stream/partial-sharing.ts'
import type { Events } from './events.ts'

export type { FleetLine }

/** How a call was answered. */
export type Outcomes = Pick<Events, 'hit' | 'hitInRedis' | 'stale' | 'coalesced' | 'unshared'>

/** What code that builds on a cache may know about it. Not for users. */
export interface Inside {
  /**
   * Code that answers from the cache's entries without asking it to load reports it here. Those answers count like the
   * cache's own.
   */
  readonly outcomes: Outcomes
  /** ms, both. */
  readonly ttl: number
  readonly loadTimeout: number
  /** What its loads make piece by piece. */
  readonly partial: PartialSharing
  /** Its clock and chance, for code that builds on it. */
  readonly doors: { readonly clock: Clock; readonly random: Random }
  /** By which those who watch reach the same cache in other processes; absent without Redis. */
  readonly fleet: FleetLine | undefined
  /** That of the namespace; empty for a whole cache. */
  readonly path: string
}

const byCache = new WeakMap<AnyCache, Inside>()

export function shareInside(cache: AnyCache, inside: Inside): void {
  byCache.set(cache, inside)
}

/** For a foreign cache nothing is counted, the ttl is unknown, loads are told when they are whole, and defaults apply. */
export function insideOf(cache: AnyCache): Partial<Inside> & Pick<Inside, 'loadTimeout' | 'partial'> {
  return byCache.get(cache) ?? { loadTimeout: 30_000, partial: NO_PARTIAL_SHARING }
}
