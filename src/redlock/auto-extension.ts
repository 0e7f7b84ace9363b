import { onAbort } from '../abort.ts'
import type { Clock, Timer } from '../clock.ts'
import { timeLeft, type RedlockLock } from './redlock-lock.ts'

/** Tells a routine that its lock was lost, and why. */
export type RedlockAbortSignal = AbortSignal & { error?: Error }

/** Extends a lock whenever it has only a threshold left, until it is ended or lost. */
export class AutoExtension {
  readonly signal: RedlockAbortSignal
  readonly #controller = new AbortController()
  readonly #duration: number
  readonly #threshold: number
  readonly #clock: Clock
  /** Replaced at each extension. */
  #lock: RedlockLock
  #timer: Timer | undefined
  /** The extension under way, or the last. */
  #extending: Promise<void> = Promise.resolve()

  constructor(lock: RedlockLock, duration: number, threshold: number, clock: Clock) {
    this.signal = this.#controller.signal
    this.#lock = lock
    this.#duration = duration
    this.#threshold = threshold
    this.#clock = clock
    for (const { signal } of lock.held) onAbort(signal, () => this.#lose(signal.reason as Error))
    this.#schedule()
  }

  /** Resolves with the lock as it is then. */
  async end(): Promise<RedlockLock> {
    this.#timer?.cancel()
    await this.#extending
    this.#timer?.cancel()
    return this.#lock
  }

  #schedule(): void {
    const ms = timeLeft(this.#lock.held, this.#clock) - this.#threshold
    const extend = (): void => {
      this.#extending = this.#extend()
    }
    this.#timer = this.#clock.setTimeout(extend, Math.max(ms, 0))
  }

  async #extend(): Promise<void> {
    try {
      this.#lock = await this.#lock.extend(this.#duration)
      this.#schedule()
    } catch (error) {
      this.#lose(error as Error)
    }
  }

  #lose(error: Error): void {
    if (this.signal.aborted) return
    this.signal.error = error
    this.#controller.abort(error)
  }
}
