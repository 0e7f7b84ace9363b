import { onAbort, reasonOf } from '../abort.ts'

/** Stands for the result of a flight whose result is nobody else's business: each waiter loads for itself. */
const RELEASED: unique symbol = Symbol('released')
/** In place of what a waiter has brought who has left. */
const LEFT: unique symbol = Symbol('left')

/**
 * One execution that many callers share. It is settled once, by whoever runs it: with a value, with a failure, or by
 * release, upon which every waiter loads for itself.
 *
 * A waiter costs one promise and one slot, because thousands may wait: what it brings to load for itself is kept in a
 * queue, and as reactions of a promise run in the order in which they were attached, each takes its own from the front.
 * With a value they wake without running any code of ours.
 */
export class Flight<V> {
  /** Made when somebody asks for the signal: most flights end before anyone does, and it costs more than all the rest. */
  #controller: AbortController | undefined
  readonly #outcome: Promise<V>
  /** Set by the constructor; called by settle, fail and release, of which the first counts. */
  #resolve!: (value: V) => void
  #reject!: (reason: unknown) => void
  /** What each waiter has brought, in the order of arrival. */
  readonly #brought: unknown[] = []
  readonly #alone: (brought: unknown) => V | Promise<V>
  /** How many waiters have been served, where there was no value. */
  #delivered = 0
  #settled = false
  #failed = false
  /** Callers that have joined and not left. */
  #callers = 0
  /** Callers that have left. */
  #left = 0
  /** Callers without a signal never leave; nor does the interest of a background refill. */
  #lasting = false
  readonly key: string
  /** Names under which the flight may be revoked. */
  readonly tags: readonly string[]
  /** Instant of the monotonic clock. */
  readonly startedAt: number

  /** `alone` loads for one waiter, by what it has brought, if the flight turns out not to be shareable. */
  constructor(key: string, tags: readonly string[], alone: (brought: unknown) => V | Promise<V>, startedAt = 0) {
    this.key = key
    this.tags = tags
    this.#alone = alone
    this.startedAt = startedAt
    this.#outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Aborts when the last caller has left and the flight is not wanted in the background, and by `abort`. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }

  get aborted(): boolean {
    return this.#controller !== undefined && this.#controller.signal.aborted
  }

  /** Whether it has failed: those who had joined get the failure, later callers try anew. */
  get failed(): boolean {
    return this.#failed
  }

  get settled(): boolean {
    return this.#settled
  }

  /** How many callers wait for it, the one that started it included. */
  get waiters(): number {
    return this.#settled ? 0 : this.#brought.length - this.#left
  }

  /** The shared result, or what `alone` makes of `brought`. */
  join(brought: unknown, signal: AbortSignal | undefined): Promise<V> {
    if (signal !== undefined) return this.#joinUntilAborted(brought, signal)
    this.#lasting = true
    return this.#enqueue(brought)
  }

  /** Keeps the flight going although no caller waits for it. */
  keep(): void {
    this.#lasting = true
  }

  settle(value: V): void {
    this.#settled = true
    this.#resolve(value)
  }

  fail(reason: unknown): void {
    if (this.#settled) return
    this.#settled = true
    this.#failed = true
    this.#outcome.catch(() => {}) // delivered to those who joined; there may be none left
    this.#reject(reason)
  }

  release(): void {
    this.#settled = true
    this.#outcome.catch(() => {}) // as with a failure
    this.#reject(RELEASED)
  }

  /** Ends the execution itself, whoever waits. */
  abort(reason: unknown): void {
    this.#controller ??= new AbortController()
    this.#controller.abort(reason)
  }

  readonly #deliverNoValue = (reason: unknown): V | Promise<V> => {
    const brought = this.#brought[this.#delivered++]
    if (reason === RELEASED && brought !== LEFT) return this.#alone(brought)
    throw reason
  }

  #enqueue(brought: unknown): Promise<V> {
    this.#brought.push(brought)
    return this.#outcome.then(undefined, this.#deliverNoValue)
  }

  #joinUntilAborted(brought: unknown, signal: AbortSignal): Promise<V> {
    this.#callers++
    const place = this.#brought.length
    const result = this.#enqueue(brought)
    return new Promise((resolve, reject) => {
      const leave = onAbort(signal, () => {
        this.#callers--
        this.#left++
        this.#brought[place] = LEFT
        const reason = reasonOf(signal)
        if (this.#callers === 0 && !this.#lasting && !this.#settled) this.abort(reason)
        reject(reason)
      })
      result.then(resolve, reject).finally(leave)
    })
  }
}
