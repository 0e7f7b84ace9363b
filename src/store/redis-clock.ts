import type { Clock } from '../clock.ts'
import type { Connection } from '../redis/connection.ts'
import { asList } from '../redis/reply.ts'

/** ms after which a measurement is not relied upon: clocks drift, and a failover brings another one. */
const VALID_FOR = 10_000
/** Clocks of different hosts may run apart by this share of the time they measure (NTP slews by 0.0005). */
const DRIFT = 0.001

/**
 * Redis's clock, on which hosts with clocks of their own agree what is fresh. Known by its distance from ours: Redis told
 * its time after we asked and before we heard, so each answer bounds the distance on both sides. Whatever is converted is
 * converted to the safe side: entries end early by the width of the bounds at most, never late.
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

  /** Whether at the local instant `now` the last measurement may be relied upon. */
  isKnownAt(now: number): boolean {
    return now - this.#measuredAt < VALID_FOR && this.#measuredAt >= this.#clock.movedAt()
  }

  /** An instant of our monotonic clock as one of Redis's, rather too late. */
  fromLocal(instant: number): number {
    return instant + this.#most
  }

  /** An instant of Redis's clock as one of ours, rather too early. */
  toLocal(instant: number): number {
    return instant - this.#most
  }

  /** The instant on Redis's clock that comes no later than ours in `ms`; '' before the first measurement. */
  deadlineIn(ms: number): number | '' {
    const now = this.#clock.now()
    if (this.#measuredAt === -Infinity) return ''
    return Math.floor(now + ms + this.#least - (now - this.#measuredAt) * DRIFT)
  }

  /** To be called when a question leaves; what it returns, with the time that the answer tells, in ms on Redis's clock. */
  ask(): (told: number) => void {
    const sentAt = this.#clock.now()
    return (told) => this.note(told, sentAt)
  }

  /** Redis told the time `told` in answer to what was sent at the local instant `sentAt`, and came just now. */
  note(told: number, sentAt: number): void {
    const now = this.#clock.now()
    const slack = (now - this.#measuredAt) * DRIFT
    // What both measurements allow, unless one of the clocks has been set in between.
    const least = Math.max(told - now, this.isKnownAt(now) ? this.#least - slack : -Infinity)
    const most = Math.min(told - sentAt, this.isKnownAt(now) ? this.#most + slack : Infinity)
    const agree = least <= most
    this.#least = agree ? least : told - now
    this.#most = agree ? most : told - sentAt
    this.#measuredAt = now
  }
}

/** Asks Redis for the time, in ms. Tells it to `redisClock`, too, where there is one. Rejects with Redis's error. */
export async function askTime(connection: Connection, redisClock?: RedisClock): Promise<number> {
  const asked = redisClock?.ask()
  const [seconds, microseconds] = asList(await connection.command('time'), 2)
  const now = Number(seconds) * 1000 + Number(microseconds) / 1000
  asked?.(now)
  return now
}
