import type { UnsharedReport } from './report.ts'

/** Of late, which keys had responses that were for one client alone, and why: in the room for `capacity` keys. */
export class Unshared {
  readonly #capacity: number
  readonly #reports = new Map<string, Omit<UnsharedReport, 'shortened'>>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  note(key: string, reason: string, at: number): void {
    const times = (this.#reports.get(key)?.times ?? 0) + 1
    this.#reports.delete(key) // so that the order of insertion is that of the last time
    this.#reports.set(key, { key, reason, times, at })
    if (this.#reports.size <= this.#capacity) return
    for (const oldest of this.#reports.keys()) {
      this.#reports.delete(oldest)
      break
    }
  }

  /** The last of them, the latest first. */
  last(count: number): Omit<UnsharedReport, 'shortened'>[] {
    return [...this.#reports.values()].slice(-count).toReversed()
  }
}
