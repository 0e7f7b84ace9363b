import type { Clock } from '../clock.ts'

/**
 * Deadlines that are all as far away, and so fall due in the order in which they were set: one timer serves them. To set
 * a timer for each and to cancel it costs a short operation more than its promise does.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #ms: number
  /** The earliest that is not met; those behind it may be. */
  #first: Deadline | undefined
  #last: Deadline | undefined
  #isTimerSet = false

  constructor(clock: Clock, ms: number) {
    this.#clock = clock
    this.#ms = ms
  }

  /** Calls `onMissed` unless the returned deadline is met in time. */
  set(onMissed: () => void): Deadline {
    const deadline = new Deadline(this.#clock.now() + this.#ms, onMissed)
    if (this.#last === undefined) this.#first = deadline
    else this.#last.next = deadline
    this.#last = deadline
    if (!this.#isTimerSet) this.#setTimer(this.#ms)
    return deadline
  }

  meet(deadline: Deadline): void {
    deadline.onMissed = undefined
    // Replies keep the order of commands: as a rule this is the first. Behind one that waits only the empty deadline stays.
    while (this.#first !== undefined && this.#first.onMissed === undefined) this.#shift()
  }

  #shift(): void {
    this.#first = this.#first?.next
    if (this.#first === undefined) this.#last = undefined
  }

  /** What waits for a reply has a socket that keeps the process alive. */
  #setTimer(ms: number): void {
    this.#isTimerSet = true
    this.#clock.setTimeout(() => this.#onTimer(), ms, { keepAlive: false })
  }

  #onTimer(): void {
    const now = this.#clock.now()
    for (let first = this.#first; first !== undefined && first.at <= now; first = this.#first) {
      this.#shift()
      this.#giveUp(first)
    }
    this.#isTimerSet = false
    if (this.#first !== undefined) this.#setTimer(this.#first.at - now)
  }

  /** A blocked event loop makes timers lie: two turns let a reply that has already arrived be read first. */
  #giveUp(deadline: Deadline): void {
    const miss = (): void => deadline.onMissed?.()
    this.#clock.setImmediate(() => this.#clock.setImmediate(miss))
  }
}

export class Deadline {
  /** Instant of the monotonic clock. */
  readonly at: number
  /** Absent once it is met. */
  onMissed: (() => void) | undefined
  next: Deadline | undefined = undefined

  constructor(at: number, onMissed: () => void) {
    this.at = at
    this.onMissed = onMissed
  }
}
