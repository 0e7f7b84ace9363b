import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock, Timer, TimerOptions } from '../../src/clock.ts'

interface Pending {
  callback: () => void
  dueAt: number
  keepAlive: boolean
}

/** A clock that moves only when the test says so. */
export class FakeClock implements Clock {
  #now = 1_000_000
  #wallOffset: number
  #timers = new Set<Pending>()
  #immediates: (() => void)[] = []

  /** `wallStart`: what the wall clock shows at first, in ms since 1970. */
  constructor(wallStart = Date.UTC(2024, 0, 1)) {
    this.#wallOffset = wallStart - this.#now
  }

  coarseNow(): number {
    return this.#now
  }

  now(): number {
    return this.#now
  }

  movedAt(): number {
    return -Infinity
  }

  wallNow(): number {
    return this.#now + this.#wallOffset
  }

  setTimeout(callback: () => void, delay: number, options?: TimerOptions): Timer {
    const timer = { callback, dueAt: this.#now + Math.max(0, delay), keepAlive: options?.keepAlive !== false }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  setImmediate(callback: () => void): void {
    this.#immediates.push(callback)
  }

  /** Timers that are set and have neither fired nor been cancelled. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Those of them that alone would keep a process alive. */
  get pendingKeepAliveTimers(): number {
    return [...this.#timers].filter((timer) => timer.keepAlive).length
  }

  /** Lets everything happen that needs no time to pass: promise callbacks and immediates, until none is left. */
  async settle(): Promise<void> {
    do {
      for (const callback of this.#immediates.splice(0)) callback()
      // A real turn of the event loop runs every promise callback there is, however deeply they are chained.
      await nextTurn()
    } while (this.#immediates.length > 0)
  }

  /** Lets `ms` pass: runs each timer that falls due at its own instant, in order, settling between. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms
    await this.settle()
    for (let timer = this.#firstDue(target); timer; timer = this.#firstDue(target)) {
      this.#timers.delete(timer)
      this.#now = Math.max(this.#now, timer.dueAt)
      timer.callback()
      await this.settle()
    }
    this.#now = target
    await this.settle()
  }

  /** Lets `ms` pass at once, as for a blocked event loop: timers fall due all together, late. */
  async block(ms: number): Promise<void> {
    this.#now += ms
    await this.advance(0)
  }

  /** Lets the host sleep for `ms`: time goes on, and timers stand still. */
  sleep(ms: number): void {
    this.#now += ms
    for (const timer of this.#timers) timer.dueAt += ms
  }

  /** Sets the wall clock forward, or back, without any time passing. */
  jumpWall(ms: number): void {
    this.#wallOffset += ms
  }

  #firstDue(target: number): Pending | undefined {
    let first: Pending | undefined
    for (const timer of this.#timers) {
      if (timer.dueAt <= target && (first === undefined || timer.dueAt < first.dueAt)) first = timer
    }
    return first
  }
}
