import type { Clock, Timer } from '../clock.ts'
import type { Random } from '../random.ts'
import { GRANT } from '../redis/scripts/hand-off.ts'
import type { Busy } from './instance.ts'
import { recheckDelay } from './recheck.ts'

/** The waiters of this process for one lock. They share one timer: one checks for all, however many there are. */
export class Line {
  readonly #clock: Clock
  readonly #random: Random
  readonly #onEmpty: () => void
  /** In order of arrival. */
  readonly #places = new Set<Place>()
  /** While there are places, a timer is set or one of them is checking. */
  #timer: Timer | undefined
  #timerAt = Infinity
  /** Whether any caller had to wait. */
  wasRefused = false
  /** Counts the queues in Redis that this line has seen. A new one begins when the old one was lost. */
  queueNumber = 0

  constructor(clock: Clock, random: Random, onEmpty: () => void) {
    this.#clock = clock
    this.#random = random
    this.#onEmpty = onEmpty
  }

  add(place: Place): void {
    this.#places.add(place)
  }

  remove(place: Place): void {
    this.#places.delete(place)
    if (this.#places.size === 0) {
      this.#stop()
      this.#onEmpty()
    } else if (this.#timer === undefined) {
      this.wakeFirst()
    }
  }

  /** A waiter of the line was refused. Its answer decides the time of the next check. */
  refused(busy: Busy): void {
    this.wasRefused = true
    this.lookAfter(recheckDelay(busy, this.#random.uniform()))
  }

  /** The first of the line checks in `ms`, unless a check is due before. */
  lookAfter(ms: number): void {
    const at = this.#clock.now() + ms
    if (at >= this.#timerAt) return
    this.#stop()
    this.#timerAt = at
    this.#timer = this.#clock.setTimeout(() => {
      this.#stop()
      this.wakeFirst()
    }, ms)
  }

  /** The queue disappeared from Redis. Its waiters must join again. */
  queueLost(finder: Place): void {
    this.queueNumber++
    for (const place of this.#places) if (place !== finder) place.wake()
  }

  wakeFirst(): void {
    for (const place of this.#places) return place.wake()
  }

  wakeAll(): void {
    for (const place of this.#places) place.wake()
  }

  fail(error: Error): void {
    for (const place of this.#places) place.fail(error)
  }

  #stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAt = Infinity
  }
}

/** One waiter. A wake-up that comes while it is checking is kept for its next `turn`. */
export class Place {
  readonly #line: Line
  readonly #clock: Clock
  #onLeave: () => void = () => {}
  #woken = false
  #error: Error | undefined
  #resume: (() => void) | undefined
  /** The queue that it joined last. */
  #queueNumber = -1
  /** A grant that this waiter has heard of: its end on Redis's clock, and the local time of the message. */
  #grant: { readonly redisUntil: number; readonly toldAt: number } | undefined

  constructor(line: Line, clock: Clock) {
    this.#line = line
    this.#clock = clock
  }

  onLeave(callback: () => void): void {
    this.#onLeave = callback
  }

  /**
   * After a refusal of a command sent at `sentAt`: resolves when it is time to check again, or with the local time until
   * which the lock has been granted. Rejects when the room is closed.
   */
  async turn(busy: Busy, sentAt: number): Promise<number | undefined> {
    if (busy.queued) {
      if (busy.added && this.#queueNumber === this.#line.queueNumber) this.#line.queueLost(this)
      this.#queueNumber = this.#line.queueNumber
    }
    this.#line.refused(busy)
    if (!this.#woken && this.#error === undefined) await new Promise<void>((resolve) => (this.#resume = resolve))
    this.#woken = false
    this.#resume = undefined
    if (this.#error !== undefined) throw this.#error
    const grant = this.#grant
    this.#grant = undefined
    return grant && localEnd(grant, busy, sentAt)
  }

  /** The lock was handed to this waiter until `redisUntil`, in ms on Redis's clock. */
  grant(redisUntil: number): void {
    this.#grant = { redisUntil, toldAt: this.#clock.now() }
    this.wake()
  }

  /** The lock is left free for others for that many ms. Then the queue goes on. Redis and the timer count whole ms. */
  lookAfter(ms: number): void {
    this.#line.lookAfter(ms + 2)
  }

  wake(): void {
    this.#woken = true
    this.#resume?.()
  }

  fail(error: Error): void {
    this.#error = error
    this.#resume?.()
  }

  leave(): void {
    this.#onLeave()
    this.#line.remove(this)
  }
}

/**
 * The end of a grant on the local clock. Redis's clock showed `redisNow` after `sentAt`, so counting from there is safe,
 * however long messages take. If Redis's clock has jumped since, no grant outlasts its message by more than its length.
 */
function localEnd(
  grant: { readonly redisUntil: number; readonly toldAt: number },
  { redisNow }: Busy,
  sentAt: number,
): number {
  return Math.min(sentAt + (grant.redisUntil - redisNow), grant.toldAt + GRANT)
}
