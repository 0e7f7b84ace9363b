import type { Load } from './history.ts'
import type { Trouble } from './trouble.ts'

/** What a caller is told of a load that failed: by its own loader, or by another process. */
const FAILED_LOAD = /^(LoaderError|RefillFailedError)/
/** ms for which a failed load may be remembered. */
const FAILURES_LAST = 1000

/** Whether one of these loads has failed so that a caller who asked and was answered at these instants may be told so. */
export function explainsFailure(
  error: string,
  { from, to }: { from: number; to: number },
  loads: readonly Load[],
  trouble: Trouble,
): boolean {
  if (!FAILED_LOAD.test(error)) return false
  const explains = (load: Load): boolean => load.failed && load.from <= to && load.to >= from - FAILURES_LAST
  return loads.some(explains) || trouble.silenced(from - FAILURES_LAST, to)
}
