import type { Head } from './frames.ts'
import type { Tape } from './tape.ts'

/** What is known here of a run. */
export interface Known extends Pick<Tape, 'run' | 'length'> {
  /** How often it had been resumed when that came. */
  readonly resumptions: number
}

/**
 * Whether a run goes on behind what is known of it here. It does not where it was resumed since from fewer chunks: a failover
 * has lost the others, which its producer makes anew.
 */
export function goesOn(known: Known, { run, resumptions }: Head): boolean {
  return known.run === run && known.length <= leastSince(known, resumptions)
}

/** The name by which readers here know the run: another one where it does not go on behind what they have had. */
export function nameOf(head: Head, known: Known | undefined): string {
  if (known?.run !== head.run || goesOn(known, head)) return head.run
  return `${head.run} from ${leastSince(known, head.resumptions)}`
}

function leastSince(known: Known, resumptions: readonly number[]): number {
  return Math.min(...resumptions.slice(known.resumptions))
}
