import type { Clock, Timer } from '../../clock.ts'

/** What can end a wait besides a message. */
export type WaitEnd = 'time-over' | 'interrupted'

/** Collects messages for one flight, even while nobody waits, so that none is lost between two waits. */
export class Mailbox<M> {
  readonly #clock: Clock
  #message: M | undefined
  #interrupted = false
  #wake: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  readonly deliver = (message: M): void => {
    this.#message = message
    this.#wake?.()
  }

  /** Ends the current or the next wait without a message. */
  readonly interrupt = (): void => {
    this.#interrupted = true
    this.#wake?.()
  }

  /** The next message, or what else ended the wait. Resolves after `ms` at the latest. */
  next(ms: number): Promise<M | WaitEnd> {
    return new Promise((resolve) => {
      let timer: Timer | undefined
      const finish = (result: M | WaitEnd): void => {
        this.#wake = undefined
        timer?.cancel()
        resolve(result)
      }
      this.#wake = () => finish(this.#take())
      if (this.#message !== undefined || this.#interrupted) this.#wake()
      else timer = this.#clock.setTimeout(() => finish('time-over'), ms)
    })
  }

  #take(): M | WaitEnd {
    const message = this.#message
    this.#message = undefined
    this.#interrupted = false
    return message ?? 'interrupted'
  }
}
