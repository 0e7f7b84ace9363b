import { atEndOfTurn } from '../clock.ts'

/** A stream that can hold back what is written to it, as every socket of Node can. */
export interface Corkable {
  cork(): void
  uncork(): void
}

const held = new WeakSet<Corkable>()

/**
 * To be called after a write to `stream`, which has left by then: what follows in this turn of the event loop leaves in
 * one system call at its end. With a hundred commands at once the calls take more time than all the rest.
 */
export function gatherWrites(stream: Corkable | undefined): void {
  if (stream === undefined || held.has(stream) || typeof stream.cork !== 'function') return
  held.add(stream)
  stream.cork()
  atEndOfTurn(() => {
    held.delete(stream)
    stream.uncork()
  })
}
