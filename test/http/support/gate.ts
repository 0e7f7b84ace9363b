/** A place where a handler waits until the test lets it go on. */
export class Gate {
  #open!: () => void
  #reach!: () => void
  /** Resolves when somebody has come to the gate. */
  readonly reached: Promise<void> = new Promise((resolve) => (this.#reach = resolve))
  readonly #opened: Promise<void> = new Promise((resolve) => (this.#open = resolve))

  async pass(): Promise<void> {
    this.#reach()
    await this.#opened
  }

  open(): void {
    this.#open()
  }
}
