import { onAbort, reasonOf } from '../abort.ts'

/**
 * `work`, but rejecting with `signal.reason` as soon as `signal` aborts. What the work yields after that is handed to
 * `undo`, for nobody else will have it.
 */
export function abandonable<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
  undo: (result: T) => void,
): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const stop = onAbort(signal, () => {
      reject(reasonOf(signal))
      work.then(undo, () => {})
    })
    work.then(
      (result) => {
        stop()
        resolve(result)
      },
      (error: unknown) => {
        stop()
        reject(error)
      },
    )
  })
}
