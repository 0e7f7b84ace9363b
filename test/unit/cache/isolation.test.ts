import { beforeEach, describe, expect, it } from 'vitest'
import type { Cache } from '../../../src/cache/cache.ts'
import { createCacheOn } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'

interface Kind {
  readonly name: string
  make(): unknown
  /** What a caller does to what it got; plain values refuse it. */
  spoil(value: never): void
}

const KINDS: Kind[] = [
  { name: 'a Map', make: () => new Map([['a', 1]]), spoil: (map: Map<string, number>) => map.set('a', 9) },
  { name: 'a Set', make: () => new Set([1]), spoil: (set: Set<number>) => set.add(9) },
  { name: 'a Date', make: () => new Date(5), spoil: (date: Date) => date.setTime(9) },
  { name: 'a Buffer', make: () => Buffer.from([1]), spoil: (buffer: Buffer) => buffer.fill(9) },
  { name: 'a Date inside', make: () => ({ at: new Date(5) }), spoil: ({ at }: { at: Date }) => at.setTime(9) },
  {
    name: 'a plain object',
    make: () => ({ list: [1] }),
    spoil: (value: { list: number[] }) => tried(() => value.list.push(9)),
  },
  {
    name: 'an array',
    make: () => [{ a: 1 }],
    spoil: (value: { a: number }[]) => tried(() => ((value[0] as { a: number }).a = 9)),
  },
]

function tried(change: () => unknown): void {
  expect(change).toThrow(TypeError)
}

describe.each(KINDS)('what one caller does to $name is seen by nobody else', ({ make, spoil }) => {
  let clock: FakeClock
  let cache: Cache
  beforeEach(() => {
    clock = new FakeClock()
  })
  const cacheWith = (options: Partial<CacheOptions>): Cache =>
    (cache = createCacheOn({ ttl: 100, ...options }, clock, new FakeRandom()))
  const spoilt = async (answer: Promise<unknown>): Promise<void> => {
    const value = await answer
    expect(value).toEqual(make())
    spoil(value as never)
  }

  it('not by those who waited for the same load, nor by later hits', async () => {
    cacheWith({})
    const gate = deferred<void>()
    const load = async (): Promise<unknown> => (await gate.promise, make())
    const waiting = [cache.getOrRefill('key', load), cache.getOrRefill('key', load), cache.getOrRefill('key', load)]
    gate.resolve()
    for (const answer of waiting) await spoilt(answer)
    for (let hit = 0; hit < 3; hit++) await spoilt(cache.getOrRefill('key', load))
    await spoilt(Promise.resolve(cache.peek('key')))
    await spoilt(cache.get('key'))
    expect(cache.peek('key')).toEqual(make())
  })

  it('not in place of failures, nor while retries back off', async () => {
    cacheWith({ staleIfError: 60_000 })
    await spoilt(cache.getOrRefill('key', make))
    await clock.advance(100)
    for (let failure = 0; failure < 3; failure++) {
      await spoilt(cache.getOrRefill('key', () => Promise.reject(new Error('down'))))
    }
  })

  it('not by who is served the stale value, nor by the loader that is told of it', async () => {
    cacheWith({ staleWhileRevalidate: 60_000 })
    await spoilt(cache.getOrRefill('key', make))
    await clock.advance(100)
    const seen: unknown[] = []
    const load = ({ stale }: { stale: unknown }): Promise<never> => {
      seen.push(structuredClone(stale))
      if (!Object.isFrozen(stale)) spoil(stale as never)
      return Promise.reject(new Error('down'))
    }
    for (let call = 0; call < 3; call++) {
      await spoilt(cache.getOrRefill('key', load))
      await clock.settle()
      await clock.advance(31_000 / 2 ** (2 - call))
    }
    expect(seen.length).toBeGreaterThan(0)
    for (const stale of seen) expect(Buffer.isBuffer(make()) ? Buffer.from(stale as Buffer) : stale).toEqual(make())
  })

  it('not by the application, whose own object stays as it is', async () => {
    cacheWith({})
    const [given, loaded] = [make(), make()]
    await cache.set('set', given)
    await cache.getOrRefill('loaded', () => loaded)
    for (const [key, own] of [
      ['set', given],
      ['loaded', loaded],
    ] as const) {
      expect(Object.isFrozen(own)).toBe(false)
      if (Array.isArray(own)) own.push(9)
      else if (Object.getPrototypeOf(own) === Object.prototype) (own as { more?: number }).more = 9
      else spoil(own as never)
      expect(await cache.get(key)).toEqual(make())
    }
  })
})

describe('a value that can be neither copied nor encoded', () => {
  it('is shared by those who waited, in each herd by one load', async () => {
    const clock = new FakeClock()
    const cache = createCacheOn({ ttl: 100 }, clock, new FakeRandom())
    class Decimal {}
    let runs = 0
    for (let herd = 1; herd <= 3; herd++) {
      const gate = deferred<void>()
      const load = async (): Promise<unknown> => (runs++, await gate.promise, { price: new Decimal() })
      const waiting = Array.from({ length: 100 }, () => cache.getOrRefill('key', load))
      gate.resolve()
      expect(new Set(await Promise.all(waiting)).size).toBe(1)
      expect(runs).toBe(herd)
      await clock.settle()
    }
  })
})
