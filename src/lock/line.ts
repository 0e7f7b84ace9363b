import type { Clock, Timer } from '../clock.ts'
import type { Random } from '../random.ts'
import { GRANT } from '../redis/scripts/hand-off.ts'
import type { Busy } from './instance.ts'
import { recheckDelay } from './recheck.ts'

/** Those of this process who wait for one lock. They share one timer: however many they are, one looks for all. */
export class Line {
  readonly #clock: Clock
  readonly #random: Random
  readonly #onEmpty: () => void
  /** In order of arrival. */
  readonly #places = new Set<Place>()
  /** While there are places, a timer is set or one of them is looking. */
  #timer: Timer | undefined
  #timerAt = Infinity
  /** Whether anybody had to wait. */
  wasRefused = false
  /** Counts the queues in Redis that this line has seen: a new one begins when the old was lost. */
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

  /** One of the line was refused: the next look follows from what it was told. */
  refused(busy: Busy): void {
    this.wasRefused = true
    this.lookAfter(recheckDelay(busy, this.#random.uniform()))
  }

  /** The first of the line looks in `ms`, unless a look is due before. */
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

  /** The queue vanished from Redis: those who believe to be in it must join again. */
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

/** One waiter. A wake that comes while it is looking is kept for its next `turn`. */
export class Place {
  readonly #line: Line
  readonly #clock: Clock
  #onLeave: () => void = () => {}
  #woken = false
  #error: Error | undefined
  #resume: (() => void) | undefined
  /** The queue that it joined last. */
  #queueNumber = -1
  /** A grant that this waiter was told of: its end on Redis's clock, and the local instant of the message. */
  #grant: { readonly redisUntil: number; readonly toldAt: number } | undefined

  constructor(line: Line, clock: Clock) {
    this.#line = line
    this.#clock = clock
  }

  onLeave(callback: () => void): void {
    this.#onLeave = callback
  }

  /**
   * After a refusal that was asked for at `sentAt`: resolves when it is time to look again, or with the local instant
   * until which the lock has been granted. Rejects when the room is closed.
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

  /** The lock is left free for others for so many ms; then the queue goes on. Redis and the timer count whole ms. */
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
 * The end of a grant on the local clock. Redis's clock showed `redisNow` after `sentAt`, so counting from there errs on
 * the safe side however long messages take. Should Redis's clock have leapt since, no grant outlasts its message by more
 * than its length.
 */
function localEnd(
  grant: { readonly redisUntil: number; readonly toldAt: number },
  { redisNow }: Busy,
  sentAt: number,
): number {
  return Math.min(sentAt + (grant.redisUntil - redisNow), grant.toldAt + GRANT)
}
