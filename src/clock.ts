import { uptime } from 'node:os'
import { runOutside } from './outside.ts'

/** The one door through which time enters. Everything else takes a `Clock`, so that tests own the time. */
export interface Clock {
  /**
   * Milliseconds of a monotonic clock; its zero has no meaning. For every deadline and age inside the process. It counts
   * the time that the host sleeps, and under fake timers it follows them.
   */
  now(): number
  /**
   * Like `now`, at a fraction of its cost, for the hit path. It may be behind by a millisecond or so; within one turn of
   * the event loop that lasts longer, by as much as that turn.
   */
  coarseNow(): number
  /**
   * The instant of the last reading before which this clock was moved by fake timers, `-Infinity` as long as it never
   * was. How far another clock was away before that is of no use any more.
   */
  movedAt(): number
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

/** The time of fake timers. jest, vitest and sinon all use @sinonjs/fake-timers, which hangs it on what it replaces. */
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

// What Node itself has, for what must not depend on fake timers. Where they were there before this module, in its place
// what they do not replace.
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

/**
 * Runs `callback` when the code that runs now, and most of the promises that it has settled, are done. Fake timers do not
 * hold it up.
 */
export const atEndOfTurn: (callback: () => void) => void = isFake(process.nextTick) ? afterPromises : process.nextTick

/** Promises that settle one after the other are followed so far. */
const FOLLOWED_PROMISES = 10

async function afterPromises(callback: () => void): Promise<void> {
  for (let followed = 0; followed < FOLLOWED_PROMISES; followed++) await Promise.resolve()
  callback()
}

/** What tells the time. Tests replace it. */
export interface TimeSources {
  /** ms of a clock that fake timers do not touch. On Linux it stands still while the host sleeps. */
  monotonic(): number
  /** ms since the host was started, its sleep included; NaN where that cannot be told or `monotonic` includes it. */
  uptime(): number
  /** ms since 1970. */
  wall(): number
  /** That of the fake timers that are installed now. */
  fakeTime(): FakeTime | undefined
}

/** Sleep of less than so many ms is not told from the error of the clocks. */
const SHORTEST_SLEEP = 1000
/** ms: Linux tells its uptime in hundredths of a second. */
const UPTIME_ERROR = 10

/**
 * One time for all that is measured in this process, which never goes back. It is Node's monotonic clock as long as no
 * fake timers are installed, and theirs while they are. Nobody tells when they come and go: it is found out at the next
 * reading, which then adds what has passed in either time. So what is measured by it ends early at most.
 */
export class MonotonicTime {
  readonly #sources: TimeSources
  /** ms by which this time is ahead of `monotonic`. It only grows: by sleep, and at the end of fake timers. */
  #ahead = 0
  #fake: FakeTime | undefined
  #movedAt = -Infinity
  /** Of the last reading under fake timers: this time, theirs, and that of `monotonic`. */
  #last = { now: 0, fake: 0, monotonic: 0 }
  /** Distances from `monotonic` when sleep was last looked for. */
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
    // Where the host has slept its wall clock shows it, too, which costs less to read. Alone it proves nothing.
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
  // Elsewhere Node's clock includes sleep, and this one is made of the wall clock.
  if (process.platform !== 'linux') return Number.NaN
  try {
    return uptime() * 1000
  } catch {
    return Number.NaN
  }
}

/** Reads of the coarse clock that one reading of the real one serves, and the ms after which it serves none. */
const COARSE_READS = 100
const COARSE_MS = 1
/** The first reads of each such span are exact: who asks so rarely can afford it, and sees at once what tests do to time. */
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

/** Timers of fake timers that may be removed, with which they would be lost. */
const underFakes = new Set<FakedTimer>()
/** ms between two looks whether they are. */
const LOOK_AFTER = 10
let isLookingAfter = false

/** Fires when the fake timers say so, or once they are gone, when its time is over. */
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
    const timeout = setTimeout(this.#fire, Math.min(Math.ceil(delay), MAX_DELAY)) // Node cuts fractions off
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
    const timeout = runOutside(() => setTimeout(callback, Math.min(Math.ceil(delay), MAX_DELAY)))
    if (!keepAlive) unref(timeout)
    return { cancel: () => clear(timeout) }
  },
  setImmediate(callback) {
    runOutside(() => setRealImmediate(callback))
  },
}
