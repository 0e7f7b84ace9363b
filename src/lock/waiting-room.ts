import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import type { Inbox } from '../redis/inbox.ts'
import { LOOK_AFTER } from '../redis/scripts/leave-free.ts'
import { Line, Place } from './line.ts'

/** How many ms, and for how many keys, it is remembered that others wanted the lock. */
const CONTENDED_FOR = 10_000
const CONTENDED_KEYS = 1000

/** The waiters of this process that one instance has refused. */
export class WaitingRoom {
  readonly #inbox: Inbox
  readonly #clock: Clock
  readonly #random: Random
  readonly #lines = new Map<string, Line>()
  /** Key → when the last waiter left its line, if it had to wait; the oldest first. */
  readonly #leftAt = new Map<string, number>()
  #onEmpty: (() => void) | undefined
  #error: Error | undefined
  readonly #stopListening: () => void

  constructor(inbox: Inbox, clock: Clock, random: Random) {
    this.#inbox = inbox
    this.#clock = clock
    this.#random = random
    this.#stopListening = inbox.onReset(() => this.#reset())
  }

  /** Takes a place in the line of `key`. The caller must leave it in any case. */
  join(key: string, token: string): Place {
    const line = this.#lines.get(key) ?? new Line(this.#clock, this.#random, () => this.#remove(key))
    this.#lines.set(key, line)
    const place = new Place(line, this.#clock)
    if (this.#error !== undefined) place.fail(this.#error)
    else this.#inbox.open().catch(() => {})
    const stop = this.#inbox.listen(token, (payload) => receive(place, payload.toString('latin1')))
    place.onLeave(stop)
    line.add(place)
    return place
  }

  /** Whether others of this process wait for `key`, or recently did. */
  isContended(key: string): boolean {
    return this.#lines.has(key) || (this.#leftAt.get(key) ?? -Infinity) > this.#clock.now() - CONTENDED_FOR
  }

  /** Wakes every waiter with `error`, now and in the future. Resolves when all have left. */
  close(error: Error): Promise<void> {
    this.#error = error
    this.#stopListening()
    for (const line of this.#lines.values()) line.fail(error)
    if (this.#lines.size === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#onEmpty = resolve))
  }

  #remove(key: string): void {
    if (this.#lines.get(key)?.wasRefused === true) this.#remember(key)
    this.#lines.delete(key)
    if (this.#lines.size === 0) this.#onEmpty?.()
  }

  #remember(key: string): void {
    const now = this.#clock.now()
    this.#leftAt.delete(key) // so that the order of insertion stays that of leaving
    this.#leftAt.set(key, now)
    for (const [oldest, leftAt] of this.#leftAt) {
      if (this.#leftAt.size <= CONTENDED_KEYS && leftAt > now - CONTENDED_FOR) break
      this.#leftAt.delete(oldest)
    }
  }

  /** Messages may have been missed. While more may be missed, one waiter of each line keeps checking for all. */
  #reset(): void {
    for (const line of this.#lines.values()) {
      if (this.#inbox.ready) line.wakeAll()
      else line.wakeFirst()
    }
  }
}

/** A message to a waiter: when its grant ends, on Redis's clock, or when to check. */
function receive(place: Place, message: string): void {
  if (message.startsWith(LOOK_AFTER)) place.lookAfter(Number(message.slice(LOOK_AFTER.length)))
  else place.grant(Number(message))
}
