/** A stream that can hold back what is written to it, as every socket of Node can. */
export interface Corkable {
  cork(): void
  uncork(): void
}

const held = new WeakSet<Corkable>()

/**
 * Lets what is written to `stream` in this turn of the event loop leave in one system call at its end: with a hundred
 * commands at once the calls take more time than all the rest.
 */
export function gatherWrites(stream: Corkable | undefined): void {
  if (stream === undefined || held.has(stream) || typeof stream.cork !== 'function') return
  held.add(stream)
  stream.cork()
  process.nextTick(() => {
    held.delete(stream)
    stream.uncork()
  })
}
