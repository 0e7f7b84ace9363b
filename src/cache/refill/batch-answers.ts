import type { Collector } from '../../flight/flight.ts'

/** Collects the answers to all keys of one call. A promise for each would cost more than the rest of a hit. */
export class BatchAnswers<V> implements Collector<V> {
  /** The values by key; rejects with the failure of the first key that failed. */
  readonly all: Promise<Map<string, V>>
  readonly #keys: readonly string[]
  readonly #values: (V | undefined)[]
  /** Keys without an answer. */
  #left: number
  #failure: { readonly place: number; readonly reason: unknown } | undefined
  // Set by the constructor.
  #resolve!: (values: Map<string, V>) => void
  #reject!: (reason: unknown) => void

  /** `keys` without repetition. */
  constructor(keys: readonly string[]) {
    this.#keys = keys
    this.#values = Array.from({ length: keys.length })
    this.#left = keys.length
    this.all = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (this.#left === 0) this.#resolve(new Map())
  }

  add(place: number, answer: Promise<V>): void {
    answer.then(
      (value) => this.settled(place, value),
      (reason: unknown) => this.failed(place, reason),
    )
  }

  settled(place: number, value: V): void {
    this.#values[place] = value
    this.#answered()
  }

  failed(place: number, reason: unknown): void {
    if (this.#failure === undefined || place < this.#failure.place) this.#failure = { place, reason }
    this.#answered()
  }

  #answered(): void {
    this.#left--
    if (this.#left > 0) return
    if (this.#failure !== undefined) return this.#reject(this.#failure.reason)
    const values = new Map<string, V>()
    this.#keys.forEach((key, place) => {
      const value = this.#values[place]
      if (value !== undefined) values.set(key, value)
    })
    this.#resolve(values)
  }
}
