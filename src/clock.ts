/** The one door through which time enters. Everything else takes a `Clock`, so that tests own the time. */
export interface Clock {
  /** Milliseconds of a monotonic clock; its zero has no meaning. For every deadline and age inside the process. */
  now(): number
  /**
   * Like `now`, at a fraction of its cost, for the hit path. It may be behind by a millisecond or so; within one turn of
   * the event loop that lasts longer, by as much as that turn.
   */
  coarseNow(): number
  /** Milliseconds since 1970 of the host's wall clock, which may jump. Only for dates that are shown to others. */
  wallNow(): number
  /** Runs `callback` once after `delay` ms. Delays above `MAX_DELAY` are cut to it, where Node would fire at once. */
  setTimeout(callback: () => void, delay: number, options?: TimerOptions): Timer
  /** Runs `callback` after pending input has been delivered. */
  setImmediate(callback: () => void): void
}

export interface TimerOptions {
  /** `false`: the timer alone does not keep the process alive. Default `true`. */
  keepAlive?: boolean
}

export interface Timer {
  cancel(): void
}

/** The longest delay that Node's timers know, in ms: 24.8 days. */
export const MAX_DELAY: number = 2 ** 31 - 1

/** Reads of the coarse clock that one reading of the real one serves, and the ms after which it serves none. */
const COARSE_READS = 100
const COARSE_MS = 1
let coarse = 0
let coarseReadsLeft = 0
let coarseTimerIsSet = false

function readCoarseClock(): number {
  coarse = Math.floor(performance.now()) // whole, so that reading it makes no object
  coarseReadsLeft = COARSE_READS
  if (!coarseTimerIsSet) {
    coarseTimerIsSet = true
    setTimeout(endCoarseReading, COARSE_MS).unref()
  }
  return coarse
}

function endCoarseReading(): void {
  coarseReadsLeft = 0
  coarseTimerIsSet = false
}

export const systemClock: Clock = {
  now: () => performance.now(),
  coarseNow: () => (coarseReadsLeft-- > 0 ? coarse : readCoarseClock()),
  wallNow: () => Date.now(),
  setTimeout(callback, delay, options) {
    const timeout = setTimeout(callback, Math.min(delay, MAX_DELAY))
    if (options?.keepAlive === false) timeout.unref()
    return { cancel: () => clearTimeout(timeout) }
  },
  setImmediate(callback) {
    setImmediate(callback)
  },
}
