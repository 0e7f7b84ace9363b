import { atEndOfTurn } from '../clock.ts'

/** A stream that can hold back what is written to it, as every socket of Node can. */
export interface Corkable {
  cork(): void
  uncork(): void
  /** Bytes that were ever written to it, and of them those that have not left this process. */
  readonly bytesWritten?: number
  readonly writableLength?: number
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

/** Lets what was written to `stream` in this turn leave now. What follows is gathered as before. */
export function writeThrough(stream: Corkable): void {
  if (!held.has(stream)) return
  stream.uncork()
  stream.cork()
}
