import { isInstance, messageOf } from '../errors.ts'

/** Tells of what code outside of ours has thrown where it must cost nobody an answer: as a warning of the process. */
export function warn(error: unknown): void {
  process.emitWarning(isInstance(error, Error) ? error : messageOf(error))
}
