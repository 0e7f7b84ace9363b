import { onAbort } from '../abort.ts'
import type { Clock } from '../clock.ts'
import { LoadTimeoutError, LockLostError } from '../errors.ts'
import type { Loader, LoaderContext } from './loader-context.ts'

/**
 * Runs a loader and settles as its result first does, with the very reason if that is a failure; with
 * `LoadTimeoutError` after `loadTimeout` ms, when `abort` is called with it; with the reason of the context's signal
 * when that aborts because nobody wants the result any more.
 */
export function runLoader<V>(
  loader: Loader<V>,
  context: LoaderContext<V>,
  loadTimeout: number,
  abort: (reason: unknown) => void,
  clock: Clock,
): Promise<V> {
  const { signal } = context
  return new Promise<V>((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const stopWatching = onAbort(signal, () => {
      if (isAbandoned(signal)) reject(signal.reason)
    })
    const timer = clock.setTimeout(() => {
      const error = new LoadTimeoutError(context.key, loadTimeout)
      abort(error)
      reject(error)
    }, loadTimeout)
    // `settle` adopts what the loader returns and guards against thenables that throw or settle twice.
    const loaded = new Promise<V>((settle) => settle(loader(context)))
    loaded.then(resolve, reject).finally(() => {
      stopWatching()
      timer.cancel()
    })
  })
}

/**
 * Whether nobody wants the result any more. Of a lease that was lost the own callers still do, and a load that took too
 * long is a failure like others.
 */
export function isAbandoned(signal: AbortSignal): boolean {
  const { aborted, reason } = signal
  return aborted && !(reason instanceof LockLostError) && !(reason instanceof LoadTimeoutError)
}
