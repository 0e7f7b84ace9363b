import { atEndOfTurn } from '../clock.ts'

/** A stream that can hold back what is written to it, as every socket of Node can. */
export interface Corkable {
  cork(): void
  uncork(): void
  /** All bytes ever written to it, and those of them that have not left this process. */
  readonly bytesWritten?: number
  readonly writableLength?: number
}

const held = new WeakSet<Corkable>()

/**
 * Call this after a write to `stream`, which has left by then. Further writes in this turn of the event loop leave in one
 * system call at its end. With a hundred commands at once, separate calls would take more time than everything else.
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

/** Flushes the writes to `stream` of this turn. Later writes are gathered as before. */
export function writeThrough(stream: Corkable): void {
  if (!held.has(stream)) return
  stream.uncork()
  stream.cork()
}
