import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import type { LeasedClaim } from '../../src/cache/claim.ts'
import { RefillFailedError } from '../../src/errors.ts'
import { deferred } from '../support/deferred.ts'
import { cachesOn, counter, settled, setups } from './cache-setups.ts'

const FORCED = { forceFresh: true }

/** A loader that says when it begins, and waits. */
function gated(): { loader: () => Promise<string>; begun: Promise<void>; resolve: (value: string) => void } {
  const [begun, value] = [deferred<void>(), deferred<string>()]
  return { loader: () => (begun.resolve(), value.promise), begun: begun.promise, resolve: value.resolve }
}

describe.each(setups)('forceFresh on $name', (setup) => {
  const { cacheWith } = cachesOn(setup)

  async function filled(options = {}): Promise<Cache> {
    const cache = cacheWith(options)
    await cache.getOrRefill('key', () => 'old', { tags: ['t'] })
    await settled(cache)
    return cache
  }

  test('nothing stored answers it, and what it loads is stored', async () => {
    const cache = await filled()
    expect(await cache.getOrRefill('key', () => 'new', FORCED)).toBe('new')
    await settled(cache)
    const loads = counter(() => 'no')
    expect(await cache.getOrRefill('key', loads.loader)).toBe('new')
    expect(loads.runs).toBe(0)
  })

  test('others are served as before meanwhile', async () => {
    const cache = await filled()
    const load = gated()
    const forced = cache.getOrRefill('key', load.loader, FORCED)
    await load.begun
    expect(await cache.getOrRefill('key', () => 'no')).toBe('old')
    load.resolve('new')
    expect(await forced).toBe('new')
  })

  test('it does not join a load that has begun: that goes on for its own callers, and is not stored', async () => {
    const cache = cacheWith()
    const [first, second] = [gated(), gated()]
    const before = cache.getOrRefill('key', first.loader)
    await first.begun
    const forced = cache.getOrRefill('key', second.loader, FORCED)
    await second.begun
    second.resolve('new')
    expect(await forced).toBe('new')
    first.resolve('old')
    expect(await before).toBe('old')
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'no')).toBe('new')
  })

  test('nor a forced one that has begun', async () => {
    const cache = await filled()
    const [first, second] = [gated(), gated()]
    const before = cache.getOrRefill('key', first.loader, FORCED)
    await first.begun
    const forced = cache.getOrRefill('key', second.loader, FORCED)
    await second.begun
    first.resolve('older')
    expect(await before).toBe('older')
    second.resolve('new')
    expect(await forced).toBe('new')
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'no')).toBe('new')
  })

  test('forced calls share a load that has not begun', async () => {
    const cache = await filled()
    const loads = counter((n) => `new ${n}`)
    // Of those who come in one turn, Redis is asked for the first. Without Redis its load begins at once.
    const calls = Array.from({ length: 5 }, () => cache.getOrRefill('key', loads.loader, FORCED))
    const values = await Promise.all(calls)
    const isShared = setup.options().redis !== undefined
    expect(values).toEqual([1, 2, 3, 4, 5].map((n) => `new ${isShared ? 1 : n}`))
  })

  test('where nothing is stored others share its load', async () => {
    const cache = cacheWith()
    const load = gated()
    const forced = cache.getOrRefill('key', load.loader, FORCED)
    await load.begun
    const loads = counter(() => 'no')
    const other = cache.getOrRefill('key', loads.loader)
    load.resolve('new')
    expect(await Promise.all([forced, other])).toEqual(['new', 'new'])
    expect(loads.runs).toBe(0)
  })

  test('a failure of its load is its own: what is stored stays, and no stale value takes its place', async () => {
    const cache = await filled({ staleIfError: 60_000, staleWhileRevalidate: 60_000, failureTtl: 60_000 })
    const failed = cache.getOrRefill('key', () => Promise.reject(new Error('down')), FORCED)
    await expect(failed).rejects.toThrow('down')
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'no')).toBe('old')
  })

  test('a stale value is no answer either', async () => {
    const cache = await filled({ staleIfError: 60_000, staleWhileRevalidate: 60_000 })
    await cache.expire('key')
    expect(await cache.getOrRefill('key', () => 'new', FORCED)).toBe('new')
  })

  test('a failure that is remembered is no answer, and its value ends it', async () => {
    const cache = cacheWith({ failureTtl: 60_000 })
    await expect(cache.getOrRefill('key', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
    await settled(cache)
    await expect(cache.getOrRefill('key', () => 'no')).rejects.toBeInstanceOf(RefillFailedError)
    expect(await cache.getOrRefill('key', () => 'new', FORCED)).toBe('new')
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'no')).toBe('new')
  })

  test('its failure is remembered where nothing is stored', async () => {
    const cache = cacheWith({ failureTtl: 60_000 })
    await expect(cache.getOrRefill('key', () => Promise.reject(new Error('down')), FORCED)).rejects.toThrow('down')
    await settled(cache)
    await expect(cache.getOrRefill('key', () => 'no')).rejects.toBeInstanceOf(RefillFailedError)
  })

  test.each<[string, (cache: Cache) => Promise<void>]>([
    ['invalidate', (cache) => cache.invalidate('key')],
    ['invalidateTags', (cache) => cache.invalidateTags('t')],
    ['clear', (cache) => cache.clear()],
    ['set', (cache) => cache.set('key', 'set')],
  ])('%s while it loads has the last word', async (name, change) => {
    const cache = await filled()
    const load = gated()
    const forced = cache.getOrRefill('key', load.loader, { ...FORCED, tags: ['t'] })
    await load.begun
    await change(cache)
    load.resolve('too early')
    expect(await forced).toBe('too early')
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'later')).toBe(name === 'set' ? 'set' : 'later')
  })

  test('its loader sees what is stored, and may say that it is unchanged', async () => {
    const cache = await filled()
    const seen: unknown[] = []
    const value = await cache.getOrRefill<string>(
      'key',
      (context) => (seen.push(context.stale), context.unchanged()),
      FORCED,
    )
    expect([value, ...seen]).toEqual(['old', 'old'])
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'no')).toBe('old')
  })

  test('a loader that forces its own key is refused', async () => {
    const cache = await filled()
    const force = (): Promise<string> => cache.getOrRefill('key', force, FORCED)
    await expect(force()).rejects.toMatchObject({ code: 'REENTRANT_REFILL' })
    const later = (): Promise<string> => Promise.resolve().then(() => cache.getOrRefill('key', later, FORCED))
    await expect(cache.getOrRefill('other', later)).rejects.toMatchObject({ code: 'REENTRANT_REFILL' })
  })

  test('getOrRefillMany loads every key', async () => {
    const cache = await filled()
    const asked: string[][] = []
    const load = (keys: readonly string[]): Map<string, string> => {
      asked.push([...keys])
      return new Map(keys.map((key) => [key, `new ${key}`]))
    }
    const values = await cache.getOrRefillMany(['key', 'b'], load, FORCED)
    expect([...values]).toEqual([
      ['key', 'new key'],
      ['b', 'new b'],
    ])
    expect(asked).toEqual([['key', 'b']])
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'no')).toBe('new key')
  })

  test('a forced claim is leased though something is stored, and what it settles is stored', async () => {
    const cache = await filled()
    const claim = (await cache.claim<string>('key', FORCED)) as LeasedClaim<string>
    expect(claim.state).toBe('leased')
    await claim.refill.settle('new')
    expect(await cache.getOrRefill('key', () => 'no')).toBe('new')
  })

  test('in a limit it takes a slot as others do', async () => {
    const cache = await filled({ maxLoads: 1 })
    const load = gated()
    const first = cache.getOrRefill('other', load.loader)
    await load.begun
    const loads = counter(() => 'new')
    const calls = [1, 2, 3].map(() => cache.getOrRefill('key', loads.loader, FORCED))
    await new Promise((resolve) => setImmediate(resolve))
    expect(loads.runs).toBe(0)
    load.resolve('value')
    expect(await first).toBe('value')
    expect(await Promise.all(calls)).toEqual(['new', 'new', 'new'])
    expect(loads.runs).toBe(1)
  })

  test('one in line that a change has overtaken is not joined: the next is stored', async () => {
    const cache = await filled({ maxLoads: 1 })
    const load = gated()
    const first = cache.getOrRefill('other', load.loader)
    await load.begun
    const before = cache.getOrRefill('key', () => 'before', FORCED)
    while (cache.stats().limit?.waiting !== 1) await new Promise((resolve) => setImmediate(resolve))
    await cache.invalidate('key')
    const after = cache.getOrRefill('key', () => 'after', FORCED)
    load.resolve('value')
    expect(await Promise.all([first, before, after])).toEqual(['value', 'before', 'after'])
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'no')).toBe('after')
  })

  test('as an option of the cache it counts for every call, unless that says otherwise', async () => {
    const cache = cacheWith(FORCED)
    const loads = counter((n) => n)
    for (const n of [1, 2, 3]) {
      expect(await cache.getOrRefill('key', loads.loader)).toBe(n)
      await settled(cache)
    }
    expect(await cache.getOrRefill('key', loads.loader, { forceFresh: false })).toBe(3)
    const load = gated()
    const begun = cache.getOrRefill('other', load.loader, { forceFresh: false })
    await load.begun
    expect(await cache.getOrRefill('other', () => 'new')).toBe('new')
    load.resolve('old')
    expect(await begun).toBe('old')
  })

  test('anything but a boolean is refused', async () => {
    const wrong = { forceFresh: 'yes' as unknown as boolean }
    expect(() => cacheWith(wrong)).toThrow('forceFresh must be a boolean, received')
    const call = cacheWith().getOrRefill('key', () => 'value', wrong)
    await expect(call).rejects.toThrow('forceFresh must be a boolean, received')
  })
})
