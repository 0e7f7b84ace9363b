import type { AsyncLocalStorage } from 'node:async_hooks'

/** The right to run a loader. A loader that asks the same cache lends its slot to the load that it waits for. */
export class Slot {
  readonly #inside: AsyncLocalStorage<Slot>
  readonly #onEnd: () => void
  /** How many loads use it. */
  #uses = 0
  #hasEnded = false

  /** `inside`: shows which slot the calls of a loader belong to. `onEnd`: gives the slot back. */
  constructor(inside: AsyncLocalStorage<Slot>, onEnd: () => void) {
    this.#inside = inside
    this.#onEnd = onEnd
  }

  /** Whether it was given back: no load may begin in it any more. */
  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Shares it with one more load, which must `run` in it or `leave` it. */
  share(): this {
    this.#uses++
    return this
  }

  /** Runs a loader in it. */
  run<T>(load: () => Promise<T>): Promise<T> {
    const loaded = this.start(load)
    loaded.then(this.leave, this.leave)
    return loaded
  }

  /** Starts a loader in it, at the end of which the slot must be left. */
  start<T>(load: () => T): T {
    return this.#inside.run(this, load)
  }

  /** The slot is given back when the last load has ended. */
  readonly leave = (): void => {
    this.#uses--
    this.endIfUnused()
  }

  endIfUnused(): void {
    if (this.#uses > 0 || this.#hasEnded) return
    this.#hasEnded = true
    this.#onEnd()
  }
}
