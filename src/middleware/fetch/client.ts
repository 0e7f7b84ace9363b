/** The receiver of a run's answer. */
export interface Asker {
  readonly hasLeft: boolean
  answer(response: Response): void
  fail(reason: unknown): void
  /** Calls back once it has left. */
  whenGone(callback: (reason: unknown) => void): void
}

/** A caller that waits for the response to a request. It gets a response or an error, once, unless it leaves before. */
export class Client implements Asker {
  readonly response: Promise<Response>
  readonly #signal: AbortSignal
  #resolve!: (response: Response) => void
  #reject!: (reason: unknown) => void
  #isAnswered = false

  constructor(signal: AbortSignal) {
    this.#signal = signal
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.whenGone((reason) => this.#reject(reason))
  }

  /** Whether it has its answer, or has left. */
  get isOver(): boolean {
    return this.#isAnswered || this.hasLeft
  }

  get hasLeft(): boolean {
    return this.#signal.aborted
  }

  answer(response: Response): void {
    this.#isAnswered = true
    this.#resolve(response)
  }

  fail(reason: unknown): void {
    this.#isAnswered = true
    this.#reject(reason)
  }

  whenGone(callback: (reason: unknown) => void): void {
    const signal = this.#signal
    if (signal.aborted) callback(signal.reason)
    else signal.addEventListener('abort', () => callback(signal.reason), { once: true })
  }
}

/** For a run in the background. */
export const NOBODY: Asker = { hasLeft: false, answer() {}, fail() {}, whenGone() {} }
