import type { Head } from './frames.ts'
import type { Tape } from './tape.ts'

/**
 * Whether a run goes on behind what is known of it here. It does not where it was resumed from fewer chunks: a failover has
 * lost the others, which its producer makes anew.
 */
export function goesOn(known: Pick<Tape, 'run' | 'length'>, { run, resumedFrom = Infinity }: Head): boolean {
  return known.run === run && known.length <= resumedFrom
}

/** The name by which readers here know the run: another one where it does not go on behind what they have had. */
export function nameOf(head: Head, known: Pick<Tape, 'run' | 'length'> | undefined): string {
  return known?.run !== head.run || goesOn(known, head) ? head.run : `${head.run} from ${head.resumedFrom}`
}
