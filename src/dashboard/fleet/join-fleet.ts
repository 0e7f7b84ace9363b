import type { AnyCache } from '../../cache/cache.ts'
import { insideOf } from '../../cache/watch/inside.ts'
import { systemClock, type Clock } from '../../clock.ts'
import { checkBoolean, checkObject } from '../../check.ts'
import { systemRandom, type Random } from '../../random.ts'
import { CacheWatch } from '../cache-watch.ts'
import { namedCaches, type DashboardOptions } from '../options.ts'
import { History } from './history.ts'
import { PROCESS, Teller } from './teller.ts'

/** Options of `joinFleet`. */
export interface FleetOptions {
  /** The caches that dashboards of other processes may show, at least one. */
  caches: DashboardOptions['caches']
  /** As that of `dashboard`: whether what the caches do is written into their Redis. Default `false`. */
  history?: boolean | undefined
}

/** A process that dashboards elsewhere see. */
export interface FleetMember {
  /** From now on they do not. */
  close(): void
}

/**
 * Lets the dashboards of other processes show the caches of this one, which needs no page for that: for workers. Where
 * there is a `dashboard`, it has done so. Caches without Redis are left out. Throws when an option cannot be honoured.
 */
export function joinFleet(options: FleetOptions): FleetMember {
  checkObject('options', options, 'an object with caches')
  const caches = namedCaches(options.caches)
  const { history = false } = options
  checkBoolean('history', history)
  return joinWith([...caches.values()], { history, clock: systemClock, random: systemRandom })
}

/** Time, chance, and what is said of this process. */
export interface Doors {
  readonly clock: Clock
  readonly random: Random
  /** How this process is named to people. */
  readonly process?: string
  readonly history?: boolean
}

/** For those who own time and chance. */
export function joinWith(
  caches: readonly AnyCache[],
  { clock, random, process = PROCESS, history = false }: Doors,
): FleetMember {
  const members = caches.flatMap((cache) => {
    const { fleet: line, path = '' } = insideOf(cache)
    if (line === undefined) return []
    const teller = new Teller(new CacheWatch(cache, clock), { line, path, clock, random, process })
    const stop = history ? new History(line, path, clock).record(cache, random.uniform()) : undefined
    return { teller, stop }
  })
  return {
    close() {
      for (const { teller, stop } of members) {
        teller.close()
        stop?.()
      }
    },
  }
}
