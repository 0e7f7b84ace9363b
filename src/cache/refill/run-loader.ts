import { onAbort } from '../../abort.ts'
import { LoadTimeoutError, LockLostError } from '../../errors.ts'
import type { CacheCore } from '../core.ts'
import type { Loader, LoaderContext } from './loader-context.ts'

/**
 * Runs a loader and settles as its result first does, with the very reason if that is a failure; with
 * `LoadTimeoutError` after `loadTimeout` ms, when `abort` is called with it; with the reason of the context's signal
 * when that aborts because nobody wants the result any more; with `ClosedError` when the cache is closed.
 */
export function runLoader<V>(
  loader: Loader<V>,
  context: LoaderContext<V>,
  loadTimeout: number,
  abort: (reason: unknown) => void,
  { clock, closing }: Pick<CacheCore, 'clock' | 'closing'>,
): Promise<V> {
  const { signal } = context
  return new Promise<V>((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    // A loader that never settles must leave neither a timer nor a listener behind.
    const giveUp = (reason: unknown): void => {
      finish()
      reject(reason)
    }
    const stops = [
      onAbort(signal, () => isAbandoned(signal) && giveUp(signal.reason)),
      onAbort(closing, () => giveUp(closing.reason)), // by then a lost lease may have aborted the signal
    ]
    const timer = clock.setTimeout(() => {
      const error = new LoadTimeoutError(context.key, loadTimeout)
      abort(error)
      giveUp(error)
    }, loadTimeout)
    const finish = (): void => {
      timer.cancel()
      for (const stop of stops) stop()
    }
    // `settle` adopts what the loader returns and guards against thenables that throw or settle twice.
    const loaded = new Promise<V>((settle) => settle(loader(context)))
    loaded.then(resolve, reject).finally(finish)
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
