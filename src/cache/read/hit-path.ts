import type { Clock } from '../../clock.ts'
import { withVersion } from '../../key-version.ts'
import type { Cache } from '../cache.ts'
import type { CallOptions } from '../options.ts'
import type { Loader } from '../refill/loader-context.ts'
import type { Sync } from '../local/local.ts'
import type { Events } from '../watch/events.ts'
import type { Memory } from '../local/memory.ts'

/*
 * What a fresh hit in memory runs: one look-up, one comparison, one count, and what the entry has kept. These are
 * closures because they work detached.
 */

/** `getOrRefill`, of whatever type. */
type GetOrRefill = <V, S = V>(key: string, loader: Loader<V, S>, options?: CallOptions<V>) => Promise<V>

/** Where calls without options find what memory has, by the key as its user knows it. */
export type KnownInMemory = Pick<Memory, 'get'>

/** Memory in the cache's version, if it has one. */
export function inVersion(memory: Memory, version: string | undefined): KnownInMemory {
  if (version === undefined) return memory
  const suffix = withVersion('', version)
  return { get: (key) => (typeof key === 'string' ? memory.get(key + suffix) : undefined) }
}

/** `getOrRefill` that answers fresh hits itself. Memory knows only valid keys, so that none needs to be checked here. */
export function hitsFirst(
  memory: KnownInMemory,
  sync: Sync,
  clock: Clock,
  events: Pick<Events, 'hit'>,
  otherwise: GetOrRefill,
): GetOrRefill {
  return (key, loader, options) => {
    const entry = memory.get(key)
    if (entry !== undefined && options === undefined) {
      const now = clock.coarseNow()
      if (now < entry.trustedUntil && now < sync.until) {
        events.hit(key)
        return entry.promise as Promise<never>
      }
    }
    return otherwise(key, loader, options)
  }
}

/** `peek` that answers for entries which need no further look itself. */
export function peeksFirst(memory: KnownInMemory, sync: Sync, clock: Clock, otherwise: Cache['peek']): Cache['peek'] {
  return (key, options) => {
    const entry = memory.get(key)
    if (entry !== undefined && options === undefined) {
      const now = clock.coarseNow()
      if (now < entry.trustedUntil && now < sync.until) return entry.value as never
    }
    return otherwise(key, options)
  }
}
