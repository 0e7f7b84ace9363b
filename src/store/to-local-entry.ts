import type { ReadEntry } from './entry.ts'
import type { Header } from './envelope.ts'
import type { RedisClock } from './redis-clock.ts'

/** A value as it was read, and how to decode it once more. */
export interface Decoded<V> {
  readonly value: V
  readonly bytes: number
  again(): V
}

/** What was stored as an entry of this process, its instants on our clock. */
export function toLocalEntry<V>(
  { value, bytes, again }: Decoded<V>,
  header: Pick<Header, 'freshUntil' | 'staleUntil' | 'errorUntil' | 'loadTime'>,
  tags: readonly string[],
  redisClock: RedisClock,
): ReadEntry<V> {
  return {
    value,
    bytes,
    again,
    freshUntil: redisClock.toLocal(header.freshUntil),
    staleUntil: redisClock.toLocal(header.staleUntil),
    errorUntil: redisClock.toLocal(header.errorUntil),
    loadTime: header.loadTime,
    tags,
  }
}
