import { LRUCache } from 'lru-cache'
import { isWithin } from '../../full-key.ts'

/** Pause in ms after the first failed refill of a stale value, and the longest pause. */
const FIRST_PAUSE = 1000
const LONGEST_PAUSE = 30_000
/** Keys that are remembered. */
const KEPT = 10_000

/**
 * Keys whose stale value could not be refilled. During a pause that doubles with each failure, the stale value is served
 * without another attempt. Kept separately from the entries, which may be only in Redis.
 */
export class BackOff {
  readonly #setbacks = new LRUCache<string, Setback>({ max: KEPT })

  /** The time until which there is no other attempt. */
  until(key: string): number {
    return this.#setbacks.peek(key)?.until ?? 0
  }

  /** Records a failure at `now`. */
  failed(key: string, now: number): void {
    const failures = this.#setbacks.peek(key)?.failures ?? 0
    const until = now + Math.min(FIRST_PAUSE * 2 ** failures, LONGEST_PAUSE)
    this.#setbacks.set(key, { until, failures: failures + 1 })
  }

  /** There is a new value, or the value is gone. */
  forget(key: string): void {
    this.#setbacks.delete(key)
  }

  forgetWithin(path: string): void {
    for (const key of this.#setbacks.keys()) if (isWithin(key, path)) this.#setbacks.delete(key)
  }

  clear(): void {
    this.#setbacks.clear()
  }
}

interface Setback {
  readonly until: number
  readonly failures: number
}
