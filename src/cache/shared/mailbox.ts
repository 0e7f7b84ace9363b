import type { Clock, Timer } from '../../clock.ts'

/** What ends a wait besides a message. */
export type WaitEnd = 'time-over' | 'interrupted'

/** Takes in what arrives for one flight, also while nobody is looking, so that no message falls between two looks. */
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

  /** Makes the present or the next wait end without a message. */
  readonly interrupt = (): void => {
    this.#interrupted = true
    this.#wake?.()
  }

  /** The next message, or what else ended the wait; at the latest after `ms`. */
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
