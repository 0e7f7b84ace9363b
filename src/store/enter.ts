import type { Entry } from './entry.ts'
import type { Header } from './envelope.ts'
import type { RedisClock } from './redis-clock.ts'

/** What was stored as an entry of this process, its instants on our clock. */
export function enter<V>(
  value: V,
  header: Pick<Header, 'freshUntil' | 'staleUntil' | 'errorUntil' | 'loadTime'>,
  tags: readonly string[],
  redisClock: RedisClock,
): Entry<V> {
  return {
    value,
    freshUntil: redisClock.toLocal(header.freshUntil),
    staleUntil: redisClock.toLocal(header.staleUntil),
    errorUntil: redisClock.toLocal(header.errorUntil),
    loadTime: header.loadTime,
    tags,
  }
}
