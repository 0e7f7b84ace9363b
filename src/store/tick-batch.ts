/** Gathers what is asked for in one tick and sends it in batches. */
export class TickBatch<R> {
  readonly #largest: () => number
  readonly #send: (batch: readonly R[]) => void
  #pending: R[] = []

  /** `largest`: how many requests a batch may have. */
  constructor(largest: () => number, send: (batch: readonly R[]) => void) {
    this.#largest = largest
    this.#send = send
  }

  add(request: R): void {
    // Sent after this turn's promises, so that calls which those make are of the same tick.
    if (this.#pending.push(request) === 1) process.nextTick(() => this.#flush())
  }

  #flush(): void {
    const pending = this.#pending
    this.#pending = []
    const size = this.#largest()
    for (let from = 0; from < pending.length; from += size) this.#send(pending.slice(from, from + size))
  }
}
