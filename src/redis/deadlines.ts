import type { Clock, Timer } from '../clock.ts'

/**
 * Deadlines of equal length, which fall due in the order in which they were set, so one timer serves all. Setting and
 * cancelling a timer for each costs a short operation more than its promise does.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #ms: number
  readonly #hearsOut: boolean
  /** The earliest deadline that is not met. Those behind it may be met. */
  #first: Deadline | undefined
  #last: Deadline | undefined
  #timer: Timer | undefined

  /** `hearsOut`: the awaited reply may have arrived already, and gets time to be read. */
  constructor(clock: Clock, ms: number, hearsOut: boolean) {
    this.#clock = clock
    this.#ms = ms
    this.#hearsOut = hearsOut
  }

  /** Calls `onMissed` unless the returned deadline is met in time. */
  set(onMissed: () => void): Deadline {
    const deadline = new Deadline(this.#clock.now() + this.#ms, onMissed)
    if (this.#last === undefined) this.#first = deadline
    else this.#last.next = deadline
    this.#last = deadline
    if (this.#timer === undefined) this.#setTimer(this.#ms)
    return deadline
  }

  meet(deadline: Deadline): void {
    deadline.onMissed = undefined
    // Replies keep the order of commands, so this is usually the first. Behind one that still waits, only the empty
    // deadline stays.
    while (this.#first !== undefined && this.#first.onMissed === undefined) this.#shift()
  }

  #shift(): void {
    this.#first = this.#first?.next
    if (this.#first === undefined) this.#last = undefined
  }

  /** The socket of an operation that waits for a reply keeps the process alive. */
  #setTimer(ms: number): void {
    this.#timer = this.#clock.setTimeout(() => this.#onTimer(), ms, { keepAlive: false })
  }

  /** Call this when no deadline counts any more. */
  close(): void {
    this.#timer?.cancel()
  }

  #onTimer(): void {
    const now = this.#clock.now()
    for (let first = this.#first; first !== undefined && first.at <= now; first = this.#first) {
      this.#shift()
      this.#giveUp(first)
    }
    this.#timer = undefined
    if (this.#first !== undefined) this.#setTimer(this.#first.at - now)
  }

  /** After a blocked event loop, timers run late. Two turns give time to read a reply that has already arrived. */
  #giveUp(deadline: Deadline): void {
    const miss = (): void => deadline.onMissed?.()
    if (!this.#hearsOut) return miss()
    this.#clock.setImmediate(() => this.#clock.setImmediate(miss))
  }
}

export class Deadline {
  /** Time of the monotonic clock. */
  readonly at: number
  /** Absent once it is met. */
  onMissed: (() => void) | undefined
  next: Deadline | undefined = undefined

  constructor(at: number, onMissed: () => void) {
    this.at = at
    this.onMissed = onMissed
  }
}
