import type { Codec } from '../../store/codec.ts'
import type { Life, ReadEntry } from '../../store/entry.ts'
import { unshared, type Isolated, type IsolatedLoad } from '../local/isolation.ts'

/** A value past its ttl that may be served instead of a new one. */
export interface Stale<V> extends Life, Pick<Isolated<V>, 'value' | 'copy'> {
  /** Size of the encoded value, if it is known. */
  readonly bytes?: number
}

/** Makes one of an entry read from Redis. `isolated` is absent if the entry could not be isolated. */
export function toStale<V>(entry: ReadEntry<V>, isolated: Isolated<V> | undefined): Stale<V> {
  const { value, copy } = isolated ?? { value: entry.value, copy: () => entry.again() }
  const { freshUntil, staleUntil, errorUntil, loadTime, tags, bytes } = entry
  return { freshUntil, staleUntil, errorUntil, loadTime, tags, bytes, value, copy }
}

/** The time until which it may be served instead of a failure. */
export function usableUntil({ staleUntil, errorUntil }: Pick<Life, 'staleUntil' | 'errorUntil'>): number {
  return Math.max(staleUntil, errorUntil)
}

/** The stale value as a loaded one. It is isolated already, and is encoded only if necessary. */
export function asLoaded<V>({ value, copy, bytes }: Stale<V>, codec: Codec<V>): IsolatedLoad<V> {
  const loaded = unshared(value, codec)
  return { value, copy, encode: () => loaded.encode(), size: () => bytes ?? loaded.size() }
}

/** Its tags as stored in Redis. With tracking, memory has further ones, which begin like no tag. */
export function storedTags({ tags }: Life): readonly string[] {
  return tags.filter((tag) => !tag.startsWith('{'))
}
