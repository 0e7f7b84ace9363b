import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import type { Inbox } from '../redis/inbox.ts'
import { Line, Place } from './line.ts'

/** Where those of this process wait who were refused by one instance. */
export class WaitingRoom {
  readonly #inbox: Inbox
  readonly #clock: Clock
  readonly #random: Random
  readonly #lines = new Map<string, Line>()
  #onEmpty: (() => void) | undefined
  #error: Error | undefined
  readonly #stopListening: () => void

  constructor(inbox: Inbox, clock: Clock, random: Random) {
    this.#inbox = inbox
    this.#clock = clock
    this.#random = random
    this.#stopListening = inbox.onReset(() => this.#reset())
  }

  /** Takes a place in the line of `key`, to be left by all means. */
  join(key: string, token: string): Place {
    const line = this.#lines.get(key) ?? new Line(this.#clock, this.#random, () => this.#remove(key))
    this.#lines.set(key, line)
    const place = new Place(line, this.#clock)
    if (this.#error !== undefined) place.fail(this.#error)
    else this.#inbox.open().catch(() => {})
    const stop = this.#inbox.listen(token, (payload) => place.grant(Number(payload.toString('latin1'))))
    place.onLeave(stop)
    line.add(place)
    return place
  }

  /** Whether others of this process wait for `key`. */
  hasLine(key: string): boolean {
    return this.#lines.has(key)
  }

  /** Wakes everyone with `error`, now and in future. Resolves when all have left. */
  close(error: Error): Promise<void> {
    this.#error = error
    this.#stopListening()
    for (const line of this.#lines.values()) line.fail(error)
    if (this.#lines.size === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#onEmpty = resolve))
  }

  #remove(key: string): void {
    this.#lines.delete(key)
    if (this.#lines.size === 0) this.#onEmpty?.()
  }

  /** Messages may have been missed. As long as more would be, one of each line goes on looking for all. */
  #reset(): void {
    for (const line of this.#lines.values()) {
      if (this.#inbox.ready) line.wakeAll()
      else line.wakeFirst()
    }
  }
}
