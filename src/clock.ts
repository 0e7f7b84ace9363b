/** The one door through which time enters. Everything else takes a `Clock`, so that tests own the time. */
export interface Clock {
  /** Milliseconds of a monotonic clock; its zero has no meaning. For every deadline and age inside the process. */
  now(): number
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

export const systemClock: Clock = {
  now: () => performance.now(),
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
