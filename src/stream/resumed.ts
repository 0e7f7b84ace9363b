import type { Head, Resumption } from './frames.ts'
import type { Tape } from './tape.ts'

/** What this process knows of a run. */
export interface Known extends Pick<Tape, 'run' | 'length'> {
  /** Those of the run by then. */
  readonly resumptions: readonly Resumption[]
}

/**
 * Whether a run continues what this process knows of it. It does not if it was since resumed from fewer chunks: a failover
 * lost the others, and its producer makes them again. The failover may have lost resumptions that this process knows, too.
 */
export function goesOn(known: Known, head: Head): boolean {
  return known.run === head.run && known.length <= commonTo(known, head)
}

/** The name of the run for readers here. It is a new name if the run does not continue what they have had. */
export function nameOf(head: Head, known: Known | undefined): string {
  if (known?.run !== head.run || goesOn(known, head)) return head.run
  return `${head.run} from ${commonTo(known, head)}`
}

/** How many chunks both have. Their pasts part where one was resumed, and the other was not, or by another producer. */
function commonTo({ resumptions: ours }: Known, { resumptions: theirs }: Head): number {
  let shared = 0
  while (shared < ours.length && isSame(ours[shared], theirs[shared])) shared++
  return Math.min(...[...ours.slice(shared), ...theirs.slice(shared)].map(({ from }) => from))
}

function isSame(one: Resumption | undefined, other: Resumption | undefined): boolean {
  return one?.by === other?.by && one?.from === other?.from
}
