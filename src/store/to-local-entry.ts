import type { ReadEntry } from './entry.ts'
import type { Header } from './envelope.ts'
import type { RedisClock } from './redis-clock.ts'

/** A value that was read, and how to decode it again. */
export interface Decoded<V> {
  readonly value: V
  readonly bytes: number
  again(): V
}

/** Turns a stored entry into one of this process, with times on our clock. */
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
