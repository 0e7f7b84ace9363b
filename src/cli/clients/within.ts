import { systemClock } from '../../clock.ts'

/**
 * Rejects where `work` takes longer than `timeout` ms. A server that accepts a connection and then says nothing, in the
 * middle of TLS, say, is none that was reached.
 */
export function within<T>(timeout: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.setTimeout(() => reject(new Error(`it did not answer within ${timeout} ms`)), timeout)
    work.then(resolve, reject).finally(timer.cancel)
  })
}
