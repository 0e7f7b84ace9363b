import { isInstance, messageOf } from '../errors.ts'

/** Reports an error of foreign code as a warning of the process, where it must not cost anybody an answer. */
export function warn(error: unknown): void {
  process.emitWarning(isInstance(error, Error) ? error : messageOf(error))
}
