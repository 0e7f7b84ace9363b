import { createHash } from 'node:crypto'

import type { Clock } from '../../clock.ts'

const MOST = 10_000
const LONGEST = 256

/** Remembers something about keys for a time. The oldest marks go first when there are too many. */
export class KeyMarks {
  readonly #untilByKey = new Map<string, number>()
  readonly #duration: number
  readonly #clock: Clock

  constructor(duration: number, clock: Clock) {
    this.#duration = duration
    this.#clock = clock
  }

  add(text: string): void {
    if (this.#duration === 0) return
    const key = brief(text)
    this.#untilByKey.delete(key)
    this.#untilByKey.set(key, this.#clock.now() + this.#duration)
    if (this.#untilByKey.size <= MOST) return
    for (const oldest of this.#untilByKey.keys()) {
      this.#untilByKey.delete(oldest)
      break
    }
  }

  has(text: string): boolean {
    const key = brief(text)
    const until = this.#untilByKey.get(key)
    if (until === undefined) return false
    if (this.#clock.now() < until) return true
    this.#untilByKey.delete(key)
    return false
  }

  remove(text: string): void {
    this.#untilByKey.delete(brief(text))
  }
}

/** Clients choose how long a key is. They must not choose how much memory a mark takes. */
function brief(key: string): string {
  return key.length <= LONGEST ? key : createHash('sha256').update(key).digest('base64')
}
