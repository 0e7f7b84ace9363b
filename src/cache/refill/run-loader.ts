import type { Clock, Timer } from '../../clock.ts'
import { LoadTimeoutError, LockLostError } from '../../errors.ts'
import type { Loader, LoadRecord } from './loader-context.ts'

/** Gets the outcome of a load: one of these is called, once. */
export interface LoadOwner<V> {
  loaded(value: V): void
  loadFailed(reason: unknown): void
}

/**
 * A loader that runs. It ends with whatever comes first: its result or its own reason; `LoadTimeoutError` after the time that
 * it has, which also aborts its execution; or the reason of an abort of the execution because nobody wants the result any
 * more. A loader that never settles leaves nothing behind. Thousands may run at once, so this makes no promise of its own.
 */
export class RunningLoad<V> {
  readonly #owner: LoadOwner<V>
  readonly #record: LoadRecord<V>
  readonly #clock: Clock
  #isUnderWay = true
  #timer: Timer | undefined
  /** Of those who need a promise of the outcome. */
  #promised: LoadOwner<V> | undefined

  constructor(owner: LoadOwner<V>, record: LoadRecord<V>, clock: Clock) {
    this.#owner = owner
    this.#record = record
    this.#clock = clock
  }

  /**
   * Calls the loader, unless its execution was aborted before. Returns its result as a native promise, which guards against
   * thenables that throw or settle twice. Pass that to `follow`.
   */
  start(loader: Loader<V>): Promise<V> {
    const record = this.#record
    if (record.execution.isAborted) return Promise.reject(record.execution.reason as Error)
    record.running = this
    try {
      return Promise.resolve(loader(record))
    } catch (reason) {
      return Promise.reject(reason as Error)
    }
  }

  /** From now on it has `loadTimeout` ms, if the loader has not said otherwise. */
  follow(loaded: Promise<V>, loadTimeout: number): void {
    const { execution } = this.#record
    const onAbort = (reason: unknown): void => {
      if (isAbandonment(reason)) this.#fail(reason)
    }
    execution.onAbort = onAbort
    if (this.#timer === undefined) this.allow(loadTimeout)
    // The promise may have a `then` of its own.
    void Promise.prototype.then.call(
      loaded,
      (value: unknown) => this.#succeed(value as V),
      (reason: unknown) => this.#fail(reason),
    )
    if (execution.isAborted) onAbort(execution.reason)
  }

  /** Gives it that many ms from now on, instead of the rest of its time. */
  allow(ms: number): void {
    this.#timer?.cancel()
    this.#timer = this.#clock.setTimeout(() => {
      const { execution, fullKey } = this.#record
      const error = new LoadTimeoutError(fullKey, ms)
      execution.abort(error)
      this.#fail(error)
    }, ms)
  }

  /** Its outcome. Only while it is under way. */
  result(): Promise<V> {
    const result = new Promise<V>((loaded, loadFailed) => (this.#promised = { loaded, loadFailed }))
    result.catch(() => {}) // perhaps nobody asks for it
    return result
  }

  #succeed(value: V): void {
    if (!this.#end()) return
    this.#promised?.loaded(value)
    this.#owner.loaded(value)
  }

  #fail(reason: unknown): void {
    if (!this.#end()) return
    this.#promised?.loadFailed(reason)
    this.#owner.loadFailed(reason)
  }

  /** Returns whether it was under way. */
  #end(): boolean {
    if (!this.#isUnderWay) return false
    this.#isUnderWay = false
    this.#timer?.cancel()
    this.#record.running = undefined
    this.#record.execution.onAbort = undefined
    return true
  }
}

/** Runs a loader in the same way, for whoever wants a promise of its outcome. */
export function runLoader<V>(loader: Loader<V>, record: LoadRecord<V>, loadTimeout: number, clock: Clock): Promise<V> {
  return new Promise((resolve, reject) => {
    const load = new RunningLoad<V>({ loaded: resolve, loadFailed: reject }, record, clock)
    load.follow(load.start(loader), loadTimeout)
  })
}

/**
 * Whether an abort for that reason means that nobody wants the result any more. After a lost lease, the callers here still
 * want it. A load that took too long is a failure like others.
 */
export function isAbandonment(reason: unknown): boolean {
  return !(reason instanceof LockLostError) && !(reason instanceof LoadTimeoutError)
}
