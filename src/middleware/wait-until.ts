import { warn } from './warn.ts'

/** Receives work that goes on after an answer, so that the host does not freeze the process before the work has ended. */
export type WaitUntil = (work: Promise<unknown>) => void

/** One for all of `hosts`. Their errors do not fail the work. Undefined if there is none. */
export function waitUntilOf(...hosts: ReadonlyArray<WaitUntil | undefined>): WaitUntil | undefined {
  const present = hosts.filter((host) => host !== undefined)
  if (present.length === 0) return undefined
  return (work) => {
    for (const host of present) {
      try {
        host(work)
      } catch (error) {
        warn(error)
      }
    }
  }
}
