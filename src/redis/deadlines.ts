import type { Clock, Timer } from '../clock.ts'

/** Whoever waits. An object, because a function for each of thousands costs more than all else here. */
export interface Waiting {
  /** The deadline has passed. */
  missed(): void
}

interface Ways {
  readonly hearsOut?: boolean
  readonly keepsAlive?: boolean
}

/**
 * Deadlines of equal length, which fall due in the order in which they were set, so one timer serves all. Setting and
 * cancelling a timer for each costs a short operation more than its promise does.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #ms: number
  readonly #hearsOut: boolean
  readonly #keepsAlive: boolean
  /** The earliest deadline that is not met. */
  #first: Deadline | undefined
  #last: Deadline | undefined
  #timer: Timer | undefined
  #isSweepDue = false

  /**
   * `hearsOut`: the awaited reply may have arrived already, and gets time to be read. `keepsAlive`: a deadline that is not met
   * keeps the process alive; where there is a socket that waits, that does.
   */
  constructor(clock: Clock, ms: number, { hearsOut = false, keepsAlive = false }: Ways = {}) {
    this.#clock = clock
    this.#ms = ms
    this.#hearsOut = hearsOut
    this.#keepsAlive = keepsAlive
  }

  /** Calls `missed` unless the returned deadline is met in time. */
  set(waiting: Waiting): Deadline {
    const deadline = new Deadline(this, this.#clock.now() + this.#ms, waiting, this.#last)
    if (this.#last === undefined) this.#first = deadline
    else this.#last.next = deadline
    this.#last = deadline
    if (this.#timer === undefined) this.#setTimer(this.#ms)
    return deadline
  }

  /** The same for another length, which takes a timer of its own. */
  after(ms: number, waiting: Waiting): Pick<Timer, 'cancel'> {
    return ms === this.#ms ? this.set(waiting) : this.#clock.setTimeout(() => waiting.missed(), ms)
  }

  meet(deadline: Deadline): void {
    deadline.waiting = undefined
    this.#drop(deadline)
    if (this.#first === undefined && this.#keepsAlive && !this.#isSweepDue) this.#sweepSoon()
  }

  /** The timer must not keep the process alive for nothing. Often the next deadline is set in the same turn. */
  #sweepSoon(): void {
    this.#isSweepDue = true
    this.#clock.setImmediate(() => {
      this.#isSweepDue = false
      if (this.#first === undefined) this.close()
    })
  }

  #drop(deadline: Deadline): void {
    const { previous, next } = deadline
    if (previous !== undefined) previous.next = next
    else if (this.#first === deadline) this.#first = next
    if (next !== undefined) next.previous = previous
    else if (this.#last === deadline) this.#last = previous
    deadline.previous = deadline.next = undefined
  }

  #setTimer(ms: number): void {
    this.#timer = this.#clock.setTimeout(() => this.#onTimer(), ms, { keepAlive: this.#keepsAlive })
  }

  /** Call this when no deadline counts any more. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #onTimer(): void {
    const now = this.#clock.now()
    for (let first = this.#first; first !== undefined && first.at <= now; first = this.#first) {
      this.#drop(first)
      this.#giveUp(first)
    }
    this.#timer = undefined
    if (this.#first !== undefined) this.#setTimer(this.#first.at - now)
  }

  /** After a blocked event loop, timers run late. Two turns give time to read a reply that has already arrived. */
  #giveUp(deadline: Deadline): void {
    const miss = (): void => deadline.waiting?.missed()
    if (!this.#hearsOut) return miss()
    this.#clock.setImmediate(() => this.#clock.setImmediate(miss))
  }
}

export class Deadline {
  /** Time of the monotonic clock. */
  readonly at: number
  /** Absent once it is met. */
  waiting: Waiting | undefined
  previous: Deadline | undefined
  next: Deadline | undefined = undefined

  readonly #all: Deadlines

  constructor(all: Deadlines, at: number, waiting: Waiting, previous: Deadline | undefined) {
    this.#all = all
    this.at = at
    this.waiting = waiting
    this.previous = previous
  }

  cancel(): void {
    this.#all.meet(this)
  }
}
