import type { Entry } from './entry.ts'
import type { Header } from './envelope.ts'
import type { RedisClock } from './redis-clock.ts'

/** What was stored as an entry of this process; `undefined` where its value cannot be decoded, which is reported. */
export function enter<V>(
  header: Pick<Header, 'freshUntil' | 'staleUntil' | 'errorUntil' | 'loadTime'>,
  tags: readonly string[],
  decode: () => V,
  redisClock: RedisClock,
  report: (error: unknown) => void,
): Entry<V> | undefined {
  try {
    return {
      value: decode(),
      freshUntil: redisClock.toLocal(header.freshUntil),
      staleUntil: redisClock.toLocal(header.staleUntil),
      errorUntil: redisClock.toLocal(header.errorUntil),
      loadTime: header.loadTime,
      tags,
    }
  } catch (error) {
    report(error)
    return undefined
  }
}
