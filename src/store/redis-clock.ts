import type { Clock } from '../clock.ts'
import type { Connection } from '../redis/connection.ts'

/** ms after which a measurement is not relied upon: clocks drift, and a failover brings another one. */
const VALID_FOR = 10_000

/**
 * Redis's clock, on which hosts with clocks of their own agree what is fresh. Known by its distance from ours, as
 * measured by the last reply that told the time. What that errs, at most that reply's time under way, makes entries
 * expire early here, never late.
 */
export class RedisClock {
  readonly #connection: Connection
  readonly #clock: Clock
  /** Redis's clock minus ours in ms. */
  #offset = 0
  #measuredAt = -Infinity

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection
    this.#clock = clock
  }

  /** Whether at the local instant `now` the last measurement may be relied upon. */
  isKnownAt(now: number): boolean {
    return now - this.#measuredAt < VALID_FOR && this.#measuredAt >= this.#clock.movedAt()
  }

  now(): number {
    return this.#clock.now() + this.#offset
  }

  /** An instant of our monotonic clock as one of Redis's. */
  fromLocal(instant: number): number {
    return instant + this.#offset
  }

  toLocal(instant: number): number {
    return instant - this.#offset
  }

  /** Redis told the time `now` in answer to what was sent at the local instant `sentAt`. */
  note(now: number, sentAt: number): void {
    this.#offset = now - sentAt
    this.#measuredAt = sentAt
  }

  /** Asks Redis for the time, unless it has told it lately. Rejects with Redis's error. */
  async ask(): Promise<void> {
    const sentAt = this.#clock.now()
    if (this.isKnownAt(sentAt)) return
    this.note(await askTime(this.#connection), sentAt)
  }
}

/** ms on Redis's clock. Rejects with Redis's error. */
export async function askTime(connection: Connection): Promise<number> {
  const [seconds, microseconds] = (await connection.command('time')) as [string, string]
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
}
