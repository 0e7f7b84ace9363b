import { MAX_DELAY, systemClock, type Clock, type Timer, type TimerOptions } from '../clock.ts'

/** Quiet turns of the event loop after which everything counts as done. */
const QUIET_TURNS = 3

interface Pending {
  readonly callback: () => void
  readonly dueAt: number
  readonly options: TimerOptions | undefined
  /** The real timer that runs it if time flows. Replaced after each `advance`. */
  real: Timer | undefined
}

/** The part of the testbed outside this process: Redis. */
export interface Outside {
  /** Lets `ms` pass there too. */
  pass(ms: number): Promise<void>
  /** Resolves when nothing is under way there, with whether anything was. */
  settle(): Promise<boolean>
}

/**
 * The time of a testbed. Without a Redis it stands still until it is advanced. With a Redis it `flows`: it also goes on
 * by itself, so that both stay in step.
 */
export class VirtualTime {
  readonly #flows: boolean
  readonly #outside: Outside | undefined
  readonly #startedAt = systemClock.now()
  readonly #wallStart = systemClock.wallNow()
  /** ms by which this time is ahead of real time, or of its start if it does not flow. */
  #ahead = 0
  readonly #timers = new Set<Pending>()
  /** Callbacks of `setImmediate` that have not run. */
  #immediates = 0
  /** Counts the callbacks that have run, to recognise a quiet turn. */
  #ran = 0
  /** The last `advance`. The next one waits for it. */
  #advancing: Promise<void> | undefined

  constructor(outside: Outside | undefined) {
    this.#flows = outside !== undefined
    this.#outside = outside
  }

  /** ms since it started. */
  get now(): number {
    return this.#ahead + (this.#flows ? systemClock.now() - this.#startedAt : 0)
  }

  /** ms that were added to real time. */
  get ahead(): number {
    return this.#ahead
  }

  /** A clock with this time. Its callbacks run as long as `isAlive` returns true. */
  clock(isAlive: () => boolean): Clock {
    const guarded = (callback: () => void) => (): void => {
      if (isAlive()) callback()
    }
    return {
      now: () => this.now,
      coarseNow: () => this.now,
      movedAt: () => -Infinity, // what is outside moves along
      wallNow: () => this.#wallStart + this.now,
      setTimeout: (callback, delay, options) => this.#setTimeout(guarded(callback), delay, options),
      setImmediate: (callback) => this.#setImmediate(guarded(callback)),
    }
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    let isBusy = true
    while (isBusy) {
      const before = this.#ran
      for (let turns = 0; turns < QUIET_TURNS; turns++) await nextTurn()
      const wasBusyOutside = (await this.#outside?.settle()) === true
      isBusy = wasBusyOutside || this.#immediates > 0 || this.#ran !== before
    }
  }

  /** Lets `ms` pass. Due timers run in order, each at its own time, with everything that follows from them. */
  advance(ms: number): Promise<void> {
    const advanced = (this.#advancing ?? Promise.resolve()).then(() => this.#advance(ms))
    const over: Promise<void> = advanced.catch(() => {}).then((): void => this.#noteAdvanced(over))
    this.#advancing = over
    return advanced
  }

  async #advance(ms: number): Promise<void> {
    await this.settle()
    let left = ms
    for (let timer = this.#first(left); timer !== undefined; timer = this.#first(left)) {
      const step = Math.max(0, timer.dueAt - this.now)
      await this.#pass(step)
      left -= step
      this.#run(timer)
      await this.settle()
    }
    await this.#pass(left)
    await this.settle()
  }

  async #pass(ms: number): Promise<void> {
    if (ms > 0) await this.#outside?.pass(ms)
    this.#ahead += ms
  }

  #noteAdvanced(over: Promise<void>): void {
    if (this.#advancing !== over) return
    this.#advancing = undefined
    for (const timer of this.#timers) this.#arm(timer)
  }

  #first(within: number): Pending | undefined {
    const until = this.now + within
    let first: Pending | undefined
    for (const timer of this.#timers) {
      if (timer.dueAt <= until && (first === undefined || timer.dueAt < first.dueAt)) first = timer
    }
    return first
  }

  #setTimeout(callback: () => void, delay: number, options: TimerOptions | undefined): Timer {
    const ms = Math.min(Math.max(0, delay), MAX_DELAY)
    const timer: Pending = { callback, dueAt: this.now + ms, options, real: undefined }
    this.#timers.add(timer)
    if (this.#advancing === undefined) this.#arm(timer)
    return {
      cancel: () => {
        this.#timers.delete(timer)
        timer.real?.cancel()
      },
    }
  }

  /** Runs it by itself if time flows, or if it is already due. */
  #arm(timer: Pending): void {
    timer.real?.cancel()
    const delay = timer.dueAt - this.now
    if (!this.#flows && delay > 0) return
    timer.real = systemClock.setTimeout(() => this.#runByItself(timer), Math.max(0, delay), timer.options)
  }

  #runByItself(timer: Pending): void {
    if (this.#advancing === undefined && this.#timers.has(timer)) this.#run(timer)
  }

  #run(timer: Pending): void {
    this.#timers.delete(timer)
    timer.real?.cancel()
    this.#ran++
    timer.callback()
  }

  #setImmediate(callback: () => void): void {
    this.#immediates++
    systemClock.setImmediate(() => {
      this.#immediates--
      this.#ran++
      callback()
    })
  }
}

/** One turn of the event loop, in which all settled promises run. */
function nextTurn(): Promise<void> {
  return new Promise((next) => systemClock.setImmediate(next))
}
