export interface LoadTimes {
  readonly key: string
  loads: number
  /** ms of all of them together. */
  total: number
  /** ms of the longest. */
  longest: number
  /** Instant of the last. */
  lastAt: number
}

/** ms after which a key that was not loaded again is no longer told of. */
const REMEMBERED_FOR = 5 * 60_000

/** The keys whose loads took longest of late, in the room for `capacity` of them. */
export class Slowest {
  readonly #capacity: number
  readonly #times = new Map<string, LoadTimes>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  note(key: string, loadTime: number, now: number): void {
    const known = this.#times.get(key)
    if (known !== undefined) {
      known.loads++
      known.total += loadTime
      known.longest = Math.max(known.longest, loadTime)
      known.lastAt = now
      return
    }
    if (this.#times.size >= this.#capacity) {
      const quickest = this.#quickest()
      if (quickest.longest >= loadTime) return
      this.#times.delete(quickest.key)
    }
    this.#times.set(key, { key, loads: 1, total: loadTime, longest: loadTime, lastAt: now })
  }

  #quickest(): LoadTimes {
    let quickest: LoadTimes | undefined
    for (const times of this.#times.values()) {
      if (quickest === undefined || times.longest < quickest.longest) quickest = times
    }
    return quickest as LoadTimes
  }

  top(count: number, now: number): { key: string; loads: number; mean: number; longest: number }[] {
    for (const { key, lastAt } of this.#times.values()) if (now - lastAt > REMEMBERED_FOR) this.#times.delete(key)
    return Array.from(this.#times.values(), ({ key, loads, total, longest }) => ({
      key,
      loads,
      mean: total / loads,
      longest,
    }))
      .toSorted((a, b) => b.longest - a.longest)
      .slice(0, count)
  }
}
