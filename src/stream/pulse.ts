/** Wakes all that wait for a change. */
export class Pulse {
  #waiting = new Set<() => void>()

  /** Calls `wake` once, at the next beat, unless the returned function is called first. */
  await(wake: () => void): () => void {
    const waiting = this.#waiting
    waiting.add(wake)
    return () => waiting.delete(wake)
  }

  /** Resolves at the next beat. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  beat(): void {
    const waking = this.#waiting
    if (waking.size === 0) return
    this.#waiting = new Set()
    for (const wake of waking) wake()
  }
}
