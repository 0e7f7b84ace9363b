import type { Clock } from '../../clock.ts'
import { LoadTimeoutError, LockLostError } from '../../errors.ts'
import type { Execution } from '../../flight/execution.ts'
import type { Loader, LoaderContext } from './loader-context.ts'

/**
 * Runs a loader and settles as its result first does, with the very reason if that is a failure; with `LoadTimeoutError`
 * after `loadTimeout` ms, with which `execution` is aborted, too; with the reason for which `execution` is aborted because
 * nobody wants the result any more.
 */
export function runLoader<V>(
  loader: Loader<V>,
  context: LoaderContext<V>,
  loadTimeout: number,
  execution: Execution,
  clock: Clock,
): Promise<V> {
  return new Promise<V>((resolve, reject) => {
    if (execution.isAborted) return reject(execution.reason)
    // A loader that never settles must leave nothing behind.
    const finish = (): void => {
      timer.cancel()
      execution.onAbort = undefined
    }
    execution.onAbort = (reason) => {
      if (!isAbandonment(reason)) return
      finish()
      reject(reason)
    }
    const timer = clock.setTimeout(() => {
      const error = new LoadTimeoutError(context.key, loadTimeout)
      execution.abort(error)
      finish()
      reject(error)
    }, loadTimeout)
    // `settle` adopts what the loader returns and guards against thenables that throw or settle twice.
    new Promise<V>((settle) => settle(loader(context))).then(
      (value) => {
        finish()
        resolve(value)
      },
      (reason: unknown) => {
        finish()
        reject(reason)
      },
    )
  })
}

/**
 * Whether an abort for that reason says that nobody wants the result any more. Of a lease that was lost the own callers
 * still do, and a load that took too long is a failure like others.
 */
export function isAbandonment(reason: unknown): boolean {
  return !(reason instanceof LockLostError) && !(reason instanceof LoadTimeoutError)
}
