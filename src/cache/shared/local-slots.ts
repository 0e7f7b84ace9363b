/** The slots of one process: how many of its loads run, whoever granted their slots, and the line that waits here. */
export class LocalSlots {
  readonly #max: number
  #running = 0
  /** In the order of arrival. */
  readonly #line = new Set<() => void>()

  constructor(max: number) {
    this.#max = max
  }

  get running(): number {
    return this.#running
  }

  get inLine(): number {
    return this.#line.size
  }

  /** A load begins whose slot was granted elsewhere. */
  begin(): void {
    this.#running++
  }

  /** Begins a load if the limit allows it. */
  tryBegin(): boolean {
    if (this.#running >= this.#max) return false
    this.#running++
    return true
  }

  /** Waits in line. `begun` resolves when the load has begun, unless it has left by then. */
  wait(): { readonly begun: Promise<void>; leave(): void } {
    let enter!: () => void
    const begun = new Promise<void>((resolve) => (enter = resolve))
    this.#line.add(enter)
    return {
      begun,
      leave: () => {
        if (!this.#line.delete(enter)) this.end()
      },
    }
  }

  /** A load has ended: the first in line begins. */
  end(): void {
    this.#running--
    for (const enter of this.#line) {
      if (!this.tryBegin()) return
      this.#line.delete(enter)
      enter()
    }
  }
}
