import type { Clock, Timer } from '../../clock.ts'

interface StallListener {
  /** Whether the handler is waiting for its readers now. */
  isExcused(): boolean
  /** Called once. */
  onStall(): void
}

/** Notices a handler that stops in the middle of its answer: its followers have waited `patience` ms for a byte. */
export class StallWatch {
  readonly #clock: Clock
  readonly #patience: number
  readonly #listener: StallListener
  #lastByteAt: number
  #timer: Timer | undefined

  constructor(clock: Clock, patience: number, listener: StallListener) {
    this.#clock = clock
    this.#patience = patience
    this.#listener = listener
    this.#lastByteAt = clock.now()
  }

  noteByte(): void {
    this.#lastByteAt = this.#clock.now()
  }

  watch(): void {
    const left = this.#lastByteAt + this.#patience - this.#clock.now()
    this.#timer = this.#clock.setTimeout(() => this.#check(), Math.max(0, left), { keepAlive: false })
  }

  end(): void {
    this.#timer?.cancel()
  }

  #check(): void {
    if (this.#listener.isExcused()) this.noteByte()
    if (this.#clock.now() - this.#lastByteAt < this.#patience) this.watch()
    else this.#listener.onStall()
  }
}
