import type { Moment } from '../support/monitored.ts'

/** ms by which the clocks of MONITOR and of expiry may differ. */
const MARGIN = 30

/** The moment `ms` after that one. */
export function after({ earliest, latest }: Moment, ms: number): Moment {
  return { earliest: earliest + ms, latest: latest + ms }
}

/** A moment that is known. */
export function exactly(at: number): Moment {
  return { earliest: at, latest: at }
}

/** Whether `end` was over by then. What never ends is not. */
export function isOver(end: Moment | undefined, now: Moment): 'surely' | 'perhaps' | 'not' {
  if (end === undefined) return 'not'
  if (now.earliest > end.latest + MARGIN) return 'surely'
  return now.latest > end.earliest - MARGIN ? 'perhaps' : 'not'
}
