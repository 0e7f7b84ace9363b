import { onAbort, reasonOf } from '../abort.ts'

/**
 * The result of `work`. Rejects with `signal.reason` as soon as `signal` aborts. A result that comes after that goes to
 * `undo`, because nobody else gets it.
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
