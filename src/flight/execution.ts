/**
 * Work that runs for callers and may be aborted. Its signal is created when somebody reads it. Most executions end before
 * that, and the signal costs more than everything else.
 */
export class Execution {
  #controller: AbortController | undefined
  #isAborted = false
  /** The reason of the first abort. */
  #reason: unknown = undefined
  /** Called at each abort; set by the code that currently runs. */
  onAbort: ((reason: unknown) => void) | undefined = undefined
  /** Called at the first abort; set by code that runs several executions at once. */
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
