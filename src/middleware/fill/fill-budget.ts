/** The bytes that all fills of one middleware hold together. What their cache keeps does not count. */
export class FillBudget {
  readonly #most: number
  #used = 0

  constructor(most: number) {
    this.#most = most
  }

  get left(): number {
    return this.#most - this.#used
  }

  /** False: there is no room for so many. */
  take(bytes: number): boolean {
    if (bytes > this.left) return false
    this.#used += bytes
    return true
  }

  giveBack(bytes: number): void {
    this.#used -= bytes
  }
}
