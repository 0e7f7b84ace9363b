/** The answers to many keys asked in one call. */
export class Answers<V> {
  readonly #keys: readonly string[]
  readonly #values: (V | undefined)[]
  /** That of the first key, by its place, that has failed so far. */
  #failure: { readonly index: number; readonly reason: unknown } | undefined
  #missing: number
  #resolve!: (values: Map<string, V>) => void
  #reject!: (reason: unknown) => void
  /**
   * Resolves when each key has been answered, with those that have a value, in the order of the keys. Rejects then with the
   * failure of the first key that failed.
   */
  readonly all: Promise<Map<string, V>> = new Promise((resolve, reject) => {
    this.#resolve = resolve
    this.#reject = reject
  })

  constructor(keys: readonly string[]) {
    this.#keys = keys
    this.#values = new Array<V | undefined>(keys.length)
    this.#missing = keys.length
    if (keys.length === 0) this.#resolve(new Map())
  }

  arrived(index: number): (value: V) => void {
    return (value) => {
      this.#values[index] = value
      this.#count()
    }
  }

  failed(index: number): (reason: unknown) => void {
    return (reason) => {
      if (this.#failure === undefined || index < this.#failure.index) this.#failure = { index, reason }
      this.#count()
    }
  }

  #count(): void {
    if (--this.#missing > 0) return
    if (this.#failure !== undefined) return this.#reject(this.#failure.reason)
    const values = new Map<string, V>()
    for (const [index, key] of this.#keys.entries()) {
      const value = this.#values[index]
      if (value !== undefined) values.set(key, value)
    }
    this.#resolve(values)
  }
}
