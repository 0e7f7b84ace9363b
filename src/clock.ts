import { uptime } from 'node:os'
import { runOutside } from './outside.ts'

/** Time enters only here. Everything else takes a `Clock`, so that tests control time. */
export interface Clock {
  /**
   * Milliseconds of a monotonic clock; its zero has no meaning. Used for every deadline and age inside the process. It
   * includes the time that the host sleeps. It follows fake timers while they are installed.
   */
  now(): number
  /**
   * Like `now`, at a fraction of the cost, for the hit path. It may be behind by about a millisecond, or by the length of
   * a longer turn of the event loop.
   */
  coarseNow(): number
  /**
   * The time of the last reading after fake timers have moved this clock; `-Infinity` if they never have. Offsets to
   * other clocks from before that time are useless.
   */
  movedAt(): number
  /** Milliseconds since 1970 on the host's wall clock, which may jump. Only for dates that others see. */
  wallNow(): number
  /**
   * Runs `callback` once after `delay` ms. Delays above `MAX_DELAY` are reduced to it; Node would fire at once. Of a time that
   * has passed already Node would warn.
   */
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

/** The longest delay of Node's timers, in ms: 24.8 days. */
export const MAX_DELAY: number = 2 ** 31 - 1

/** What Node's timers take as they should: they cut fractions off. */
function accepted(delay: number): number {
  return Math.max(Math.min(Math.ceil(delay), MAX_DELAY), 0)
}

/**
 * The time of fake timers. jest, vitest and sinon all use @sinonjs/fake-timers, which attaches it to the functions that
 * it replaces.
 */
export interface FakeTime {
  /** ms since the fake timers were installed; unlike their wall clock it does not jump. */
  readonly performance: { now(): number }
}

type Replaceable = object & { readonly clock?: FakeTime; readonly _isMockFunction?: boolean }

function isFake(replaceable: Replaceable): boolean {
  return replaceable.clock !== undefined || replaceable._isMockFunction === true // the latter: jest's legacy timers
}

function installedFakeTime(): FakeTime | undefined {
  return (setTimeout as Replaceable).clock ?? (performance as Replaceable).clock
}

// Node's own functions, for code that must not depend on fake timers. If fake timers were installed before this module,
// functions that they do not replace are used instead.
const readMonotonic = isFake(performance) ? () => process.uptime() * 1000 : performance.now.bind(performance)
const setRealTimeout = isFake(setTimeout) ? afterSignal : afterTimeout(setTimeout)
const setRealImmediate = isFake(setImmediate) ? (callback: () => void) => setRealTimeout(callback, 1) : setImmediate

function afterTimeout(set: typeof setTimeout): (callback: () => void, delay: number) => void {
  return (callback, delay) => unref(set(callback, delay))
}

function afterSignal(callback: () => void, delay: number): void {
  AbortSignal.timeout(delay).addEventListener('abort', callback)
}

/** Fake timers, and those of jsdom, may be numbers or nothing. */
function unref(timeout: { unref?(): unknown } | undefined): void {
  timeout?.unref?.()
}

/** Runs `callback` after the current code and most of the promises that it has settled. Fake timers do not delay it. */
export const atEndOfTurn: (callback: () => void) => void = isFake(process.nextTick) ? afterPromises : process.nextTick

/** How many promises are followed that settle one after the other. */
const FOLLOWED_PROMISES = 10

async function afterPromises(callback: () => void): Promise<void> {
  for (let followed = 0; followed < FOLLOWED_PROMISES; followed++) await Promise.resolve()
  callback()
}

/** Sources of time. Tests replace them. */
export interface TimeSources {
  /** ms of a clock that fake timers do not touch. On Linux it stands still while the host sleeps. */
  monotonic(): number
  /** ms since the host was started, including its sleep. NaN if that is unknown, or if `monotonic` includes sleep. */
  uptime(): number
  /** ms since 1970. */
  wall(): number
  /** The time of the fake timers that are installed now. */
  fakeTime(): FakeTime | undefined
}

/** Sleep shorter than this many ms cannot be distinguished from the error of the clocks. */
const SHORTEST_SLEEP = 1000
/** ms: Linux reports its uptime in hundredths of a second. */
const UPTIME_ERROR = 10

/**
 * One time for all measurements in this process. It never goes back. It is Node's monotonic clock while no fake timers
 * are installed, and theirs while they are. Nobody reports when they are installed or removed. The next reading finds
 * out, and adds the time that has passed on either clock. So measurements may end early, but never late.
 */
export class MonotonicTime {
  readonly #sources: TimeSources
  /** ms by which this time is ahead of `monotonic`. It only grows: by sleep, and at the end of fake timers. */
  #ahead = 0
  #fake: FakeTime | undefined
  #movedAt = -Infinity
  /** The last reading under fake timers: this time, their time, and that of `monotonic`. */
  #last = { now: 0, fake: 0, monotonic: 0 }
  /** Offsets from `monotonic` when sleep was last checked. */
  #wallOffset: number
  #uptimeOffset: number

  constructor(sources: TimeSources) {
    this.#sources = sources
    const monotonic = sources.monotonic()
    this.#wallOffset = sources.wall() - monotonic
    this.#uptimeOffset = sources.uptime() - monotonic
  }

  now(): number {
    const fake = this.#sources.fakeTime()
    if (fake !== this.#fake) return this.#change(fake)
    return fake === undefined ? this.#real() : this.#faked(fake)
  }

  movedAt(): number {
    return this.#movedAt
  }

  #real(): number {
    const monotonic = this.#sources.monotonic()
    // If the host has slept, its wall clock shows it too, and costs less to read. Alone it proves nothing.
    if (Math.abs(this.#sources.wall() - monotonic - this.#wallOffset) >= SHORTEST_SLEEP) this.#lookForSleep(monotonic)
    return monotonic + this.#ahead
  }

  #lookForSleep(monotonic: number): void {
    const uptimeOffset = this.#sources.uptime() - monotonic
    const slept = uptimeOffset - this.#uptimeOffset
    if (slept >= SHORTEST_SLEEP) this.#ahead += slept + UPTIME_ERROR
    this.#uptimeOffset = uptimeOffset
    this.#wallOffset = this.#sources.wall() - monotonic
  }

  #faked(fake: FakeTime): number {
    const time = fake.performance.now()
    const now = this.#last.now + Math.max(0, time - this.#last.fake)
    if (time !== this.#last.fake) this.#movedAt = now
    this.#last = { now, fake: time, monotonic: this.#sources.monotonic() }
    return now
  }

  #change(next: FakeTime | undefined): number {
    if (this.#fake !== undefined) {
      const since = this.#sources.monotonic() - this.#last.monotonic
      this.#ahead = Math.max(this.#ahead, this.#faked(this.#fake) + since - this.#sources.monotonic())
    }
    this.#fake = next
    let now = this.#real()
    if (next !== undefined) {
      this.#last = { now, fake: 0, monotonic: 0 }
      now = this.#faked(next)
    }
    this.#movedAt = now
    return now
  }
}

const time = new MonotonicTime({
  monotonic: readMonotonic,
  uptime: readUptime,
  wall: () => Date.now(),
  fakeTime: installedFakeTime,
})

function readUptime(): number {
  // On other systems Node's clock includes sleep, and the uptime is derived from the wall clock.
  if (process.platform !== 'linux') return Number.NaN
  try {
    return uptime() * 1000
  } catch {
    return Number.NaN
  }
}

/** How many reads of the coarse clock one reading of the real clock serves, and for how many ms. */
const COARSE_READS = 100
const COARSE_MS = 1
/** The first reads of each span are exact. Callers that ask so rarely can afford it, and see at once how tests move time. */
const EXACT_READS = 10
let coarse = 0
let coarseReadsLeft = 0
let exactReadsLeft = EXACT_READS
let coarseTimerIsSet = false

function readCoarseClock(): number {
  coarse = Math.floor(time.now()) // whole, so that reading it makes no object
  coarseReadsLeft = 0
  if (isFake(setTimeout) || isFake(performance)) return coarse // no timer would end it
  if (exactReadsLeft > 0) exactReadsLeft--
  else coarseReadsLeft = COARSE_READS
  if (!coarseTimerIsSet) {
    coarseTimerIsSet = true
    runOutside(setCoarseTimer)
  }
  return coarse
}

function setCoarseTimer(): void {
  unref(setTimeout(endCoarseReading, COARSE_MS))
}

function endCoarseReading(): void {
  coarseReadsLeft = 0
  exactReadsLeft = EXACT_READS
  coarseTimerIsSet = false
}

/** Timers set on fake timers. They would be lost if the fake timers were removed. */
const underFakes = new Set<FakedTimer>()
/** ms between two checks whether they were removed. */
const LOOK_AFTER = 10
let isLookingAfter = false

/** Fires when the fake timers fire it or, once they are removed, when its time is over. */
class FakedTimer implements Timer {
  readonly #callback: () => void
  readonly #dueAt: number
  readonly #keepAlive: boolean
  #setBy!: typeof setTimeout
  #clear!: () => void
  #isOver = false

  constructor(callback: () => void, delay: number, keepAlive: boolean) {
    this.#callback = callback
    this.#dueAt = time.now() + delay
    this.#keepAlive = keepAlive
    this.#set(delay)
    underFakes.add(this)
    lookAfterFakes()
  }

  cancel(): void {
    this.#isOver = true
    underFakes.delete(this)
    this.#clear()
  }

  moveIfLost(): void {
    if (setTimeout === this.#setBy) return
    if (!isFake(setTimeout)) underFakes.delete(this)
    this.#set(Math.max(0, this.#dueAt - time.now()))
  }

  #set(delay: number): void {
    this.#setBy = setTimeout
    const clear = clearTimeout
    const timeout = setTimeout(this.#fire, accepted(delay))
    if (!this.#keepAlive) unref(timeout)
    this.#clear = () => clear(timeout)
  }

  readonly #fire = (): void => {
    if (this.#isOver) return
    this.#isOver = true
    underFakes.delete(this)
    this.#callback()
  }
}

function lookAfterFakes(): void {
  if (isLookingAfter || underFakes.size === 0) return
  isLookingAfter = true
  setRealTimeout(() => {
    isLookingAfter = false
    for (const timer of [...underFakes]) timer.moveIfLost()
    lookAfterFakes()
  }, LOOK_AFTER)
}

export const systemClock: Clock = {
  now: () => time.now(),
  coarseNow: () => (coarseReadsLeft-- > 0 ? coarse : readCoarseClock()),
  movedAt: () => time.movedAt(),
  wallNow: () => Date.now(),
  setTimeout(callback, delay, options) {
    const keepAlive = options?.keepAlive !== false
    if (isFake(setTimeout)) return runOutside(() => new FakedTimer(callback, delay, keepAlive))
    const clear = clearTimeout // that of fake timers clears none of these
    const timeout = runOutside(() => setTimeout(callback, accepted(delay)))
    if (!keepAlive) unref(timeout)
    return { cancel: () => clear(timeout) }
  },
  setImmediate(callback) {
    runOutside(() => setRealImmediate(callback))
  },
}
