import type { Clock } from '../clock.ts'
import { BreakerOpenError, RedisTimeoutError, UnexpectedReplyError } from '../errors.ts'
import { isErrorReply } from './client-error.ts'

/** Failures in a row that open the breaker, and ms until it lets one operation try again. */
const THRESHOLD = 3
const OPEN_FOR = 1000

/** Stands between operations and a Redis that does not answer. */
export type Guard = <T>(operation: () => Promise<T>) => Promise<T>

/**
 * Keeps callers from waiting for a Redis that does not answer. Closed, it lets everything through; after THRESHOLD
 * failures in a row it opens and refuses at once; after OPEN_FOR ms it is half open: one operation at a time may try,
 * and its outcome closes or opens it. (M. Nygard, Release It!, "Circuit Breaker".)
 */
export class Breaker {
  readonly #clock: Clock
  readonly #instance: string
  #failures = 0
  /** Time until which nothing is tried. */
  #openUntil = -Infinity

  constructor(clock: Clock, instance: string) {
    this.#clock = clock
    this.#instance = instance
  }

  get state(): 'closed' | 'half-open' | 'open' {
    if (this.#failures < THRESHOLD) return 'closed'
    return this.#clock.now() < this.#openUntil ? 'open' : 'half-open'
  }

  /** Resolves and rejects as `operation` does. While open, rejects with `BreakerOpenError` without trying. */
  run<T>(operation: () => Promise<T>): Promise<T> {
    if (!this.admits()) return Promise.reject(new BreakerOpenError(this.#instance, THRESHOLD))
    const outcome = operation()
    this.watch(outcome)
    return outcome
  }

  /** Whether an operation may try now. Call this once for each operation. */
  admits(): boolean {
    const { state } = this
    if (state === 'half-open') this.#openUntil = this.#clock.now() + OPEN_FOR // this one tries, the others must wait
    return state !== 'open'
  }

  /** Notes how an operation ends. It does not wrap the operation's promise, so that a hit in Redis need not wait for it. */
  readonly watch = (outcome: Promise<unknown>): void => {
    outcome.then(this.#noteSuccess, this.#noteFailure)
  }

  readonly #noteSuccess = (): void => {
    this.#failures = 0
  }

  readonly #noteFailure = (error: unknown): void => {
    this.#failures = isOutage(error) ? this.#failures + 1 : 0
    if (this.#failures >= THRESHOLD) this.#openUntil = this.#clock.now() + OPEN_FOR
  }
}

/** Whether Redis did not answer at all. An error reply is an answer. */
function isOutage(error: unknown): boolean {
  if (error instanceof RedisTimeoutError) return true
  return !(error instanceof UnexpectedReplyError || isErrorReply(error))
}
