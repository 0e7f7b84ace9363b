import type { Timer } from '../../clock.ts'
import { LoadTimeoutError, LockLostError } from '../../errors.ts'
import type { Execution } from '../../flight/execution.ts'
import type { Waiter } from '../../flight/flight.ts'
import type { Deadlines, Waiting } from '../../redis/deadlines.ts'
import { LoadRecord, type Loader, type Sharer } from './loader-context.ts'

/**
 * A loader that runs. It ends with whatever comes first: its result or its own reason; `LoadTimeoutError` after the time that
 * it has, which also aborts its execution; or the reason of an abort of the execution because nobody wants the result any
 * more. A loader that never settles leaves nothing behind. Thousands may run at once, so this makes no promise of its own:
 * subclasses get the outcome.
 */
export abstract class RunningLoad<V> implements Sharer, Waiting {
  readonly record: LoadRecord<V>
  readonly #timeouts: Deadlines
  #isUnderWay = true
  #timer: Pick<Timer, 'cancel'> | undefined
  #allowed = 0

  /** `timeouts`: for loads that have the usual time. */
  constructor(timeouts: Deadlines, { fullKey, execution, readStale, background, flight }: Loading<V>) {
    this.#timeouts = timeouts
    this.record = new LoadRecord<V>(fullKey, execution, readStale, background ?? false, this, flight)
  }

  /** One of the two is called, once. */
  protected abstract loaded(value: V): void
  protected abstract failed(reason: unknown): void

  /** The loader says that the result is for its caller alone. */
  abstract doNotShare(): void

  /**
   * Calls the loader, unless its execution was aborted before. Returns its result as a native promise, which guards against
   * thenables that throw or settle twice. Pass that to `follow`.
   */
  protected start(loader: Loader<V>): Promise<V> {
    const { record } = this
    if (record.execution.isAborted) return Promise.reject(record.execution.reason as Error)
    record.running = this
    try {
      return Promise.resolve(loader(record))
    } catch (reason) {
      return Promise.reject(reason as Error)
    }
  }

  /** From now on it has `loadTimeout` ms, if the loader has not said otherwise. */
  protected follow(loaded: Promise<V>, loadTimeout: number): void {
    const { execution } = this.record
    const onAbort = (reason: unknown): void => {
      if (isAbandonment(reason)) this.#fail(reason)
    }
    execution.onAbort = onAbort
    if (this.#timer === undefined) this.allow(loadTimeout)
    // The promise may have a `then` of its own.
    void Promise.prototype.then.call(
      loaded,
      (value: unknown) => {
        if (this.#end()) this.loaded(value as V)
      },
      (reason: unknown) => this.#fail(reason),
    )
    if (execution.isAborted) onAbort(execution.reason)
  }

  /** Gives it that many ms from now on, instead of the rest of its time. */
  allow(ms: number): void {
    this.#timer?.cancel()
    this.#allowed = ms
    this.#timer = this.#timeouts.after(ms, this)
  }

  /** It has taken too long. */
  missed(): void {
    const { execution, fullKey } = this.record
    const error = new LoadTimeoutError(fullKey, this.#allowed)
    execution.abort(error)
    this.#fail(error)
  }

  #fail(reason: unknown): void {
    if (this.#end()) this.failed(reason)
  }

  /** Returns whether it was under way. */
  #end(): boolean {
    if (!this.#isUnderWay) return false
    this.#isUnderWay = false
    this.#timer?.cancel()
    this.record.running = undefined
    this.record.execution.onAbort = undefined
    return true
  }
}

/** What a loader is to know. */
export interface Loading<V> {
  readonly fullKey: string
  readonly execution: Execution
  readonly readStale?: (() => V) | undefined
  readonly background?: boolean
  readonly flight?: Waiter | undefined
}

/** A load of which one caller gets a promise. */
export class LoneLoad<V> extends RunningLoad<V> {
  #resolve!: (value: V) => void
  #reject!: (reason: unknown) => void

  run(loader: Loader<V>, loadTimeout: number): Promise<V> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.follow(this.start(loader), loadTimeout)
    })
  }

  protected loaded(value: V): void {
    this.#resolve(value)
  }

  protected failed(reason: unknown): void {
    this.#reject(reason)
  }

  doNotShare(): void {}
}

/**
 * Whether an abort for that reason means that nobody wants the result any more. After a lost lease, the callers here still
 * want it. A load that took too long is a failure like others.
 */
export function isAbandonment(reason: unknown): boolean {
  return !(reason instanceof LockLostError) && !(reason instanceof LoadTimeoutError)
}
