import type { Clock, Timer } from '../../clock.ts'
import { LoadTimeoutError, LockLostError } from '../../errors.ts'
import type { Execution } from '../../flight/execution.ts'
import type { Loader, LoadRecord } from './loader-context.ts'

/**
 * Runs a loader and settles with whatever comes first: its result or its own reason; `LoadTimeoutError` after `loadTimeout`
 * ms, which also aborts `execution`; or the reason of an abort of `execution` because nobody wants the result any more.
 */
export function runLoader<V>(
  loader: Loader<V>,
  record: LoadRecord<V>,
  loadTimeout: number,
  execution: Execution,
  clock: Clock,
): Promise<V> {
  return new Promise<V>((resolve, reject) => {
    if (execution.isAborted) return reject(execution.reason)
    // A loader that never settles must leave nothing behind.
    const finish = (): void => {
      timer.cancel()
      record.allow = undefined
      execution.onAbort = undefined
    }
    execution.onAbort = (reason) => {
      if (!isAbandonment(reason)) return
      finish()
      reject(reason)
    }
    const start = (ms: number): Timer =>
      clock.setTimeout(() => {
        const error = new LoadTimeoutError(record.fullKey, ms)
        execution.abort(error)
        finish()
        reject(error)
      }, ms)
    let timer = start(loadTimeout)
    record.allow = (ms) => {
      timer.cancel()
      timer = start(ms)
    }
    const loaded = begin(loader, record)
    // The promise may have a `then` of its own.
    void Promise.prototype.then.call(
      loaded,
      (value: unknown) => {
        finish()
        resolve(value as V)
      },
      (reason: unknown) => {
        finish()
        reject(reason)
      },
    )
  })
}

/** The loader's result as a native promise, which guards against thenables that throw or settle twice. */
function begin<V>(loader: Loader<V>, record: LoadRecord<V>): Promise<V> {
  try {
    return Promise.resolve(loader(record))
  } catch (reason) {
    return Promise.reject(reason as Error)
  }
}

/**
 * Whether an abort for that reason means that nobody wants the result any more. After a lost lease, the callers here still
 * want it. A load that took too long is a failure like others.
 */
export function isAbandonment(reason: unknown): boolean {
  return !(reason instanceof LockLostError) && !(reason instanceof LoadTimeoutError)
}
