import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { spread } from '../../src/redis/spread.ts'
import type { StoredEntry } from '../../src/store/stored-entry.ts'
import { deferred } from '../support/deferred.ts'
import { cachesOn, counter, expired, formIn, settled, setups } from './cache-setups.ts'

const WINDOWS = { staleWhileRevalidate: 5000, staleIfError: 9000 }
/** What the test itself may take. */
const LATE = 2000

/** What a reader would find, in the tier that knows best. */
async function found(cache: Cache, key: string): Promise<StoredEntry | undefined> {
  const { redis, memory } = await cache.examine(key)
  return redis ?? memory
}

describe.each(setups)('expire on $name', (setup) => {
  const { cacheWith } = cachesOn(setup)

  /** A cache with these entries, which have the tag `t`. */
  async function filled(keys: readonly string[], options = {}): Promise<Cache> {
    const cache = cacheWith({ ...WINDOWS, ...options })
    await cache.getOrRefillMany(keys, (asked) => new Map(asked.map((key) => [key, 'old'])), { tags: ['t'] })
    await settled(cache)
    return cache
  }

  const ways: [string, (cache: Cache) => Promise<void>][] = [
    ['expire', (cache) => cache.expire('key')],
    ['expireTags', (cache) => cache.expireTags('t')],
  ]

  describe.each(ways)('%s', (_way, expire) => {
    test('everybody is served the stale value while one caller refills it', async () => {
      const cache = await filled(['key'])
      await expire(cache)
      expect([cache.peek('key'), await cache.get('key')]).toEqual([undefined, undefined])
      const refill = deferred<string>()
      const loads = counter(() => refill.promise)
      for (let i = 0; i < 10; i++) expect(await cache.getOrRefill('key', loads.loader, { tags: ['t'] })).toBe('old')
      refill.resolve('new')
      await settled(cache)
      expect(loads.runs).toBe(1)
      expect(await cache.getOrRefill('key', loads.loader)).toBe('new')
    })

    test('the stale windows are counted from now, and end no later than they would have', async () => {
      const cache = await filled(['key'], { ttl: 1000 })
      await expire(cache)
      const after = (await found(cache, 'key')) as StoredEntry
      expect(after).toMatchObject({ state: 'stale', ttl: 0, tags: ['t'] })
      expect(after.staleWhileRevalidate).toBeLessThanOrEqual(WINDOWS.staleWhileRevalidate)
      expect(after.staleWhileRevalidate).toBeGreaterThan(WINDOWS.staleWhileRevalidate - LATE)
      expect(after.staleIfError).toBeLessThanOrEqual(WINDOWS.staleIfError)
      expect(after.staleIfError).toBeGreaterThan(WINDOWS.staleIfError - LATE)
      await expired(50)
      await expire(cache) // it is stale already
      const { staleWhileRevalidate } = (await found(cache, 'key')) as StoredEntry
      expect(staleWhileRevalidate).toBeLessThanOrEqual(WINDOWS.staleWhileRevalidate - 50)
    })

    test('within staleIfError alone it replaces a failed load, and nothing else', async () => {
      const cache = await filled(['key'], { staleWhileRevalidate: 0 })
      await expire(cache)
      expect(await cache.getOrRefill('key', () => Promise.reject(new Error('down')))).toBe('old')
      await expire(cache) // a failure makes the next attempt wait no longer
      expect(await cache.getOrRefill('key', () => 'new')).toBe('new')
    })

    test('the stale value is served on when a load ends that began before the last of several', async () => {
      const cache = await filled(['key'])
      await expire(cache)
      const first = deferred<string>()
      const hasBegun = deferred<void>()
      const load = (): Promise<string> => {
        hasBegun.resolve()
        return first.promise
      }
      expect(await cache.getOrRefill('key', load, { tags: ['t'] })).toBe('old')
      await hasBegun.promise
      await expire(cache)
      first.resolve('began before')
      await settled(cache)
      const next = deferred<string>()
      expect(await cache.getOrRefill('key', () => next.promise, { tags: ['t'] })).toBe('old')
      next.resolve('new')
      await settled(cache)
      expect(await cache.getOrRefill('key', () => 'unused', { tags: ['t'] })).toBe('new')
    })

    test('an entry without a stale window is forgotten', async () => {
      const cache = await filled(['key'], { staleWhileRevalidate: 0, staleIfError: 0 })
      await expire(cache)
      expect(await found(cache, 'key')).toBeUndefined()
      const stale: unknown[] = []
      await cache.getOrRefill('key', (context) => stale.push(context.stale))
      expect(stale).toEqual([undefined])
    })

    test('a load that began before is delivered to its callers, and not stored', async () => {
      const cache = cacheWith(WINDOWS)
      const [slow, loading] = [deferred<string>(), deferred<void>()]
      const load = (): Promise<string> => (loading.resolve(), slow.promise)
      const before = cache.getOrRefill('key', load, { tags: ['t'] })
      await loading.promise
      await expire(cache)
      const after = cache.getOrRefill('key', () => 'new', { tags: ['t'] })
      slow.resolve('old')
      expect([await before, await after]).toEqual(['old', 'new'])
      await settled(cache)
      expect(await cache.get('key')).toBe('new')
    })

    test('what is stored after it is fresh', async () => {
      const cache = await filled(['key'])
      await expire(cache)
      await cache.set('key', 'set', { tags: ['t'] })
      expect(await cache.get('key')).toBe('set')
      await cache.getOrRefill('other', () => 'loaded', { tags: ['t'] })
      await settled(cache)
      expect(await cache.get('other')).toBe('loaded')
    })
  })

  test('expire takes many keys, and touches no other', async () => {
    const cache = await filled(['a', 'b', 'c'])
    await cache.expire(['a', 'b', 'nothing'])
    expect([await cache.get('a'), await cache.get('b'), await cache.get('c')]).toEqual([undefined, undefined, 'old'])
  })

  test('expireTags touches what has one of the tags, also one that only a loader has named', async () => {
    const cache = cacheWith(WINDOWS)
    await cache.getOrRefill('a', ({ cacheFor }) => (cacheFor({ tags: ['%{t}'] }), 'old'))
    await cache.set('b', 'old', { tags: ['u', 'v'] })
    await cache.set('c', 'old', { tags: ['other'] })
    await settled(cache)
    await cache.expireTags(['%{t}', 'u', 'u'])
    expect([await cache.get('a'), await cache.get('b'), await cache.get('c')]).toEqual([undefined, undefined, 'old'])
    expect(await cache.getOrRefill('a', () => 'new')).toBe('old')
  })

  test('over: each entry expires at a moment of its own, which a hash of its key decides', async () => {
    const over = 600_000
    const keys = Array.from({ length: 20 }, (_, i) => `key {${i}}`)
    const cache = await filled(keys, { ttl: 3_600_000 })
    await cache.expireTags('t', { over })
    const left = await Promise.all(keys.map(async (key) => (await found(cache, key))?.ttl ?? 0))
    for (const [i, key] of keys.entries()) {
      const moment = spread(formIn(setup, key), over)
      expect(left[i]).toBeLessThanOrEqual(moment)
      expect(left[i]).toBeGreaterThan(moment - LATE)
    }
    await cache.expireTags('t', { over: 10 * over }) // takes nothing back
    const later = await Promise.all(keys.map(async (key) => (await found(cache, key))?.ttl ?? 0))
    for (const [i] of keys.entries()) expect(later[i]).toBeLessThanOrEqual(left[i] as number)
    await cache.expireTags('t')
    for (const key of keys) expect(await cache.get(key)).toBeUndefined()
  })

  test('over: an entry without a stale window is forgotten at its own moment', async () => {
    const over = 400
    const cache = await filled(['key'], { staleWhileRevalidate: 0, staleIfError: 0 })
    await cache.expireTags('t', { over })
    const moment = spread(formIn(setup, 'key'), over)
    expect((await found(cache, 'key'))?.ttl ?? 0).toBeLessThanOrEqual(moment)
    await expired(moment)
    expect(await cache.getOrRefill('key', () => 'new')).toBe('new')
  })

  test.each([
    [-1, 'RangeError'],
    [0.5, 'RangeError'],
    [Number.NaN, 'RangeError'],
    ['1s', 'TypeError'],
    [null, 'TypeError'],
  ])('refuses over: %o, before anything expires', async (over, name) => {
    const cache = await filled(['key'])
    const refused = cache.expireTags('t', { over: over as number })
    await expect(refused).rejects.toMatchObject({ name, message: expect.stringMatching(/^over must be/) as string })
    expect(await cache.get('key')).toBe('old')
    for (const bad of [7, '', ['key', undefined]]) await expect(cache.expire(bad as never)).rejects.toThrow(/^key must/)
  })
})
