import type { Clock } from '../../clock.ts'
import { withVersion } from '../../key-version.ts'
import type { Cache } from '../cache.ts'
import type { CallOptions } from '../options.ts'
import type { Loader } from '../refill/loader-context.ts'
import type { Sync } from '../local/local.ts'
import type { Events } from '../watch/events.ts'
import type { Memory } from '../local/memory.ts'

/*
 * The code of a fresh hit in memory: one look-up, one comparison, one count, and the promise that the entry has kept. These
 * are closures because they work detached.
 */

/** `getOrRefill`, of any type. */
type GetOrRefill = <V, S = V>(key: string, loader: Loader<V, S>, options?: CallOptions<V>) => Promise<V>

/** Where calls without options find entries in memory, by the user's form of the key. */
export type KnownInMemory = Pick<Memory, 'get'>

/** Memory for keys of the cache's version, if it has one. */
export function inVersion(memory: Memory, version: string | undefined): KnownInMemory {
  if (version === undefined) return memory
  const suffix = withVersion('', version)
  return { get: (key) => (typeof key === 'string' ? memory.get(key + suffix) : undefined) }
}

/** `getOrRefill` that answers fresh hits itself. Memory has only valid keys, so no key needs a check here. */
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

/** `peek` that answers itself for entries that need no further checks. */
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
