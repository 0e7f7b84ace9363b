import type { Life, ReadEntry } from '../../store/entry.ts'
import type { Isolated } from '../local/isolation.ts'

/** A value that is past its ttl, and may be served in place of the new one. */
export type Stale<V> = Pick<Life, 'freshUntil' | 'staleUntil' | 'errorUntil'> & Pick<Isolated<V>, 'value' | 'copy'>

/** What was read from Redis; `isolated` is absent where it could not be. */
export function toStale<V>(entry: ReadEntry<V>, isolated: Isolated<V> | undefined): Stale<V> {
  const { freshUntil, staleUntil, errorUntil } = entry
  const { value, copy } = isolated ?? { value: entry.value, copy: () => entry.again() }
  return { freshUntil, staleUntil, errorUntil, value, copy }
}

/** Until then it may be served in place of a failure. */
export function usableUntil({ staleUntil, errorUntil }: Pick<Life, 'staleUntil' | 'errorUntil'>): number {
  return Math.max(staleUntil, errorUntil)
}
