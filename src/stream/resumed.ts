import type { Head } from './frames.ts'
import type { Tape } from './tape.ts'

/** What this process knows of a run. */
export interface Known extends Pick<Tape, 'run' | 'length'> {
  /** How often the run had been resumed by then. */
  readonly resumptions: number
}

/**
 * Whether a run continues what this process knows of it. It does not if it was since resumed from fewer chunks: a failover
 * lost the others, and its producer makes them again.
 */
export function goesOn(known: Known, { run, resumptions }: Head): boolean {
  return known.run === run && known.length <= leastSince(known, resumptions)
}

/** The name of the run for readers here. It is a new name if the run does not continue what they have had. */
export function nameOf(head: Head, known: Known | undefined): string {
  if (known?.run !== head.run || goesOn(known, head)) return head.run
  return `${head.run} from ${leastSince(known, head.resumptions)}`
}

function leastSince(known: Known, resumptions: readonly number[]): number {
  return Math.min(...resumptions.slice(known.resumptions))
}
