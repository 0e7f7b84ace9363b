/**
 * What runs for callers and may be aborted. Its signal is made when somebody asks for it: most executions end before
 * anyone does, and it costs more than all the rest.
 */
export class Execution {
  #controller: AbortController | undefined
  #isAborted = false
  /** That of the first abort. */
  #reason: unknown = undefined
  /** Told of each abort, by whoever runs at the time. */
  onAbort: ((reason: unknown) => void) | undefined = undefined
  /** Told of the first abort, by whoever runs several at once. */
  onFirstAbort: (() => void) | undefined = undefined

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#isAborted) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  get isAborted(): boolean {
    return this.#isAborted
  }

  get reason(): unknown {
    return this.#reason
  }

  abort(reason: unknown): void {
    const isFirst = !this.#isAborted
    if (isFirst) {
      this.#isAborted = true
      this.#reason = reason
      this.#controller?.abort(reason)
      this.onFirstAbort?.()
    }
    this.onAbort?.(reason)
  }
}
