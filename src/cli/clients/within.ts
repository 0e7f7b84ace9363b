import { systemClock } from '../../clock.ts'

/**
 * Rejects if `work` takes longer than `timeout` ms. A server that accepts a connection and then says nothing, for example
 * in the middle of TLS, counts as not reached.
 */
export function within<T>(timeout: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.setTimeout(() => reject(new Error(`it did not answer within ${timeout} ms`)), timeout)
    work.then(resolve, reject).finally(timer.cancel)
  })
}
