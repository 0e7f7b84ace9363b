import type { Codec } from '../../store/codec.ts'
import type { Life, ReadEntry } from '../../store/entry.ts'
import { unshared, type Isolated, type IsolatedLoad } from '../local/isolation.ts'

/** A value that is past its ttl, and may be served in place of the new one. */
export interface Stale<V> extends Life, Pick<Isolated<V>, 'value' | 'copy'> {
  /** Size of the encoded value, where it is known. */
  readonly bytes?: number
}

/** What was read from Redis; `isolated` is absent where it could not be. */
export function toStale<V>(entry: ReadEntry<V>, isolated: Isolated<V> | undefined): Stale<V> {
  const { value, copy } = isolated ?? { value: entry.value, copy: () => entry.again() }
  const { freshUntil, staleUntil, errorUntil, loadTime, tags, bytes } = entry
  return { freshUntil, staleUntil, errorUntil, loadTime, tags, bytes, value, copy }
}

/** Until then it may be served in place of a failure. */
export function usableUntil({ staleUntil, errorUntil }: Pick<Life, 'staleUntil' | 'errorUntil'>): number {
  return Math.max(staleUntil, errorUntil)
}

/** The stale value as one that was loaded: it is isolated already, and encoded only where that cannot be avoided. */
export function asLoaded<V>({ value, copy, bytes }: Stale<V>, codec: Codec<V>): IsolatedLoad<V> {
  const loaded = unshared(value, codec)
  return { ...loaded, copy, size: () => bytes ?? loaded.size() }
}

/** Its tags as they are stored. With tracking, memory has others besides, which begin like no tag. */
export function storedTags({ tags }: Life): readonly string[] {
  return tags.filter((tag) => !tag.startsWith('{'))
}
