import { type Clock, systemClock } from '../../../src/clock.ts'

/** The system's clock, which a test may set forward: for real sockets and real timers with entries that age at once. */
export class SkippingClock implements Clock {
  #skipped = 0
  readonly setTimeout: Clock['setTimeout'] = systemClock.setTimeout
  readonly setImmediate: Clock['setImmediate'] = systemClock.setImmediate

  now(): number {
    return systemClock.now() + this.#skipped
  }

  coarseNow(): number {
    return this.now()
  }

  movedAt(): number {
    return -Infinity
  }

  wallNow(): number {
    return systemClock.wallNow() + this.#skipped
  }

  skip(ms: number): void {
    this.#skipped += ms
  }
}
