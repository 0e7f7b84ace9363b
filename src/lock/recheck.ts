import type { Busy } from './instance.ts'

/** ms after which waiters check although nothing has happened: a message may be lost, or a waiter frozen. */
const RECHECK = 2000
/** ms between two checks of a lock whose holder does not announce its release. */
const FOREIGN_POLL = 50

/** How long to wait before the next check, in ms. Pure: `chance` is uniform in [0, 1). */
export function recheckDelay({ remaining, holderIsOurs, queued }: Busy, chance: number): number {
  const lapse = remaining < 0 ? Infinity : remaining + 1
  if (!holderIsOurs || !queued) return Math.min(lapse, FOREIGN_POLL * (0.8 + 0.2 * chance))
  return Math.min(lapse + 20 * chance, RECHECK * (1 + 0.2 * chance))
}
