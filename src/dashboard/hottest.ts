export interface Counted {
  readonly key: string
  /** How often the key was met of late, at most. */
  count: number
  /** How much of `count` may be that of keys that had its place before. */
  error: number
}

/**
 * The keys that are met most often, of any number, in the room for `capacity` of them: Space-Saving (Metwally, Agrawal,
 * El Abbadi, ICDT 2005). A key that is met more often than once in `capacity` times is among them.
 */
export class Hottest {
  readonly #capacity: number
  readonly #counted = new Map<string, Counted>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  note(key: string): void {
    const known = this.#counted.get(key)
    if (known !== undefined) {
      known.count++
      return
    }
    let inherited = 0
    if (this.#counted.size >= this.#capacity) {
      const least = this.#least()
      this.#counted.delete(least.key)
      inherited = least.count
    }
    this.#counted.set(key, { key, count: inherited + 1, error: inherited })
  }

  #least(): Counted {
    let least: Counted | undefined
    for (const counted of this.#counted.values())
      if (least === undefined || counted.count < least.count) least = counted
    return least as Counted
  }

  /** What was met long ago counts less and less, and in the end nothing. */
  fade(factor: number): void {
    for (const counted of this.#counted.values()) {
      counted.count *= factor
      counted.error *= factor
      if (counted.count < NEGLIGIBLE) this.#counted.delete(counted.key)
    }
  }

  /** Those that were met most often, by what is certain of it. */
  top(count: number): { key: string; count: number }[] {
    return Array.from(this.#counted.values(), ({ key, count: most, error }) => ({ key, count: most - error }))
      .toSorted((a, b) => b.count - a.count)
      .slice(0, count)
  }
}

const NEGLIGIBLE = 0.01
