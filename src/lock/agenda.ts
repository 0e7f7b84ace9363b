import type { Clock, Timer } from '../clock.ts'

/** Something to do at a time of the monotonic clock. It may be moved or cancelled until then. */
export interface Appointment {
  moveTo(at: number): void
  cancel(): void
}

/** A place in the heap. */
class Entry implements Appointment {
  readonly #agenda: Agenda
  readonly callback: () => void
  at = 0
  /** Its place in the heap, -1 if it is not in the heap. */
  index = -1

  constructor(agenda: Agenda, callback: () => void) {
    this.#agenda = agenda
    this.callback = callback
  }

  moveTo(at: number): void {
    this.#agenda.place(this, at)
  }

  cancel(): void {
    this.#agenda.remove(this)
  }
}

/** ms after which the timer checks in any case, because timers stand still while the host sleeps, but time goes on. */
const LONGEST_DELAY = 1000

/** Any number of appointments on one timer: a binary heap ordered by time. */
export class Agenda {
  readonly #clock: Clock
  readonly #heap: Entry[] = []
  #timer: Timer | undefined
  /** The time for which the timer is set; Infinity if it is not set. */
  #timerAt = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#heap.length
  }

  add(at: number, callback: () => void): Appointment {
    const entry = new Entry(this, callback)
    this.place(entry, at)
    return entry
  }

  /** For its entries. */
  place(entry: Entry, at: number): void {
    if (entry.index === -1) entry.index = this.#heap.push(entry) - 1
    entry.at = at
    this.#settle(entry)
    this.#schedule()
  }

  /** For its entries. */
  remove(entry: Entry): void {
    const { index } = entry
    if (index === -1) return
    entry.index = -1
    const last = this.#heap.pop() as Entry
    if (last !== entry) {
      this.#heap[index] = last
      last.index = index
      this.#settle(last)
    }
    if (this.#heap.length === 0) this.#stop()
  }

  /** Moves an entry up or down to the place of its time. */
  #settle(entry: Entry): void {
    const heap = this.#heap
    let { index } = entry
    while (index > 0) {
      const parent = heap[(index - 1) >> 1] as Entry
      if (parent.at <= entry.at) break
      heap[index] = parent
      parent.index = index
      index = (index - 1) >> 1
    }
    for (;;) {
      let child = heap[2 * index + 1]
      const right = heap[2 * index + 2]
      if (child !== undefined && right !== undefined && right.at < child.at) child = right
      if (child === undefined || child.at >= entry.at) break
      const next = child.index
      heap[index] = child
      child.index = index
      index = next
    }
    heap[index] = entry
    entry.index = index
  }

  /**
   * Sets the timer for the first appointment. A timer that is set too early is left alone: it finds nothing to do and is
   * set again.
   */
  #schedule(): void {
    const first = this.#heap[0]
    if (first === undefined || first.at >= this.#timerAt) return
    this.#stop()
    const delay = Math.min(first.at - this.#clock.now(), LONGEST_DELAY)
    this.#timerAt = this.#clock.now() + delay
    // This timer must not keep a process alive. The connection to Redis does that.
    this.#timer = this.#clock.setTimeout(() => this.#run(), delay, { keepAlive: false })
  }

  #run(): void {
    this.#stop()
    for (let first = this.#heap[0]; first !== undefined && first.at <= this.#clock.now(); first = this.#heap[0]) {
      this.remove(first)
      first.callback()
    }
    this.#schedule()
  }

  #stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAt = Infinity
  }
}
