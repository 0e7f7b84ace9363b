/** Counts events, and tells when there have been enough of them. */
export class Count {
  #value = 0
  readonly #waiting = new Map<number, () => void>()

  get value(): number {
    return this.#value
  }

  add(): void {
    this.#waiting.get(++this.#value)?.()
  }

  /** Resolves with the event of this number. */
  async reached(number: number): Promise<void> {
    if (this.#value >= number) return
    await new Promise<void>((resolve) => this.#waiting.set(number, resolve))
  }
}
