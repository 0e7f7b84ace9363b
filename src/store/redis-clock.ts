import type { Clock } from '../clock.ts'
import type { Connection } from '../redis/connection.ts'
import { asList } from '../redis/reply.ts'

/** ms for which a measurement can be relied on: clocks drift, and a failover brings another clock. */
const VALID_FOR = 10_000
/** The clocks of two hosts may drift apart by this share of the time they measure (NTP slews by 0.0005). */
const DRIFT = 0.001

/**
 * Redis's clock, by which all hosts agree on what is fresh. It is known by its difference from ours. Redis read its clock
 * after we asked and before we got the answer, so each answer limits the difference on both sides. Times are converted to
 * the safe side: an entry ends early, at most by the width between these limits, and never late.
 */
export class RedisClock {
  readonly #clock: Clock
  /** Bounds of Redis's clock minus ours, in ms. */
  #least = 0
  #most = 0
  #measuredAt = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether the last measurement can be relied on at local time `now`. */
  isKnownAt(now: number): boolean {
    return now - this.#measuredAt < VALID_FOR && this.#measuredAt >= this.#clock.movedAt()
  }

  /** Converts a time on our monotonic clock to Redis's clock, if anything too late. */
  fromLocal(instant: number): number {
    return instant + this.#most
  }

  /** Converts a time on Redis's clock to ours, if anything too early. */
  toLocal(instant: number): number {
    return instant - this.#most
  }

  /** A time on Redis's clock that comes no later than `ms` from now on ours. '' before the first measurement. */
  deadlineIn(ms: number): number | '' {
    const now = this.#clock.now()
    if (this.#measuredAt === -Infinity) return ''
    return Math.floor(now + ms + this.#least - (now - this.#measuredAt) * DRIFT)
  }

  /** Call this when a question leaves. Call the returned function with the time in the answer, in ms on Redis's clock. */
  ask(): (told: number) => void {
    const sentAt = this.#clock.now()
    return (told) => this.note(told, sentAt)
  }

  /** Redis told the time `told` in an answer that came just now, to a question sent at local time `sentAt`. */
  note(told: number, sentAt: number): void {
    const now = this.#clock.now()
    const slack = (now - this.#measuredAt) * DRIFT
    // Keep what both measurements allow, unless a clock was set in between.
    const least = Math.max(told - now, this.isKnownAt(now) ? this.#least - slack : -Infinity)
    const most = Math.min(told - sentAt, this.isKnownAt(now) ? this.#most + slack : Infinity)
    const agree = least <= most
    this.#least = agree ? least : told - now
    this.#most = agree ? most : told - sentAt
    this.#measuredAt = now
  }
}

/** Asks Redis for the time, in ms. Also notes it in `redisClock`, if given. Rejects with Redis's error. */
export async function askTime(connection: Connection, redisClock?: RedisClock): Promise<number> {
  const asked = redisClock?.ask()
  const [seconds, microseconds] = asList(await connection.command('time'), 2)
  const now = Number(seconds) * 1000 + Number(microseconds) / 1000
  asked?.(now)
  return now
}
