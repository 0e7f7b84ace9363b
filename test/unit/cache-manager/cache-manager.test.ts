import { beforeEach, describe, expect, it } from 'vitest'
import { createCacheOn } from '../../../src/cache/create-cache.ts'
import { cacheManagerOn, type CacheManager } from '../../../src/cache-manager/cache-manager.ts'
import { ClosedError } from '../../../src/errors.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'

let clock: FakeClock
let manager: CacheManager
beforeEach(() => {
  clock = new FakeClock()
  const cache = createCacheOn({ ttl: 10_000 }, clock, new FakeRandom())
  manager = cacheManagerOn(cache.namespace('n'), clock)
})

describe('cacheManager', () => {
  it.each([
    [1000, 300],
    [undefined, 300],
    [1000, () => 300],
    [() => 1000, 300.5],
  ])(
    'answers with the old value and refreshes it once within the threshold: ttl %s, threshold %s',
    async (ttl, threshold) => {
      let runs = 0
      const ask = (): Promise<number> => manager.wrap('key', () => ++runs, ttl, threshold)
      expect(await ask()).toBe(1)
      await clock.advance((ttl === undefined ? 10_000 : 1000) - 302)
      expect([await ask(), runs, await manager.get('key')]).toEqual([1, 1, 1])
      await clock.advance(2)
      expect(await manager.get('key')).toBeUndefined()
      expect(await Promise.all([ask(), ask()])).toEqual([1, 1])
      await clock.advance(0)
      expect([await ask(), runs]).toEqual([2, 2])
    },
  )

  it('does not answer with what has expired', async () => {
    expect(await manager.wrap('key', () => 'old', 1000, 300)).toBe('old')
    await clock.advance(1000)
    expect(await manager.wrap('key', () => 'new', 1000, 300)).toBe('new')
  })

  it('refreshes at every call where the threshold is longer than the ttl', async () => {
    expect(await manager.wrap('key', () => 1, 1000, 5000)).toBe(1)
    expect(await manager.wrap('key', () => 2, 1000, 5000)).toBe(1)
    await clock.advance(0)
    expect(await manager.wrap('key', () => 3, 1000, 5000)).toBe(2)
  })

  it('takes fractions of a ms, and refuses what is no time', async () => {
    await manager.set('key', 1, 0.5)
    expect(await manager.ttl('key')).toBe(clock.wallNow() + 1)
    for (const wrong of [-1, Number.NaN, '5' as unknown as number]) {
      await expect(manager.set('key', 1, wrong)).rejects.toThrow(/^ttl must be/)
      await expect(manager.wrap('other', () => 1, wrong)).rejects.toThrow(/^ttl must be/)
      await expect(manager.wrap('other', () => 1, 1000, wrong)).rejects.toThrow(/^refreshThreshold must be/)
    }
  })

  it('refuses what is no cache, no function and no list', async () => {
    expect(() => cacheManagerOn({} as never, clock)).toThrow(/^cache must be a Cache/)
    await expect(manager.wrap('key', 7 as never)).rejects.toThrow(/^fnc must be/)
    await expect(manager.mget('key' as never)).rejects.toThrow(/^keys must be/)
    await expect(manager.mset('key' as never)).rejects.toThrow(/^list must be/)
  })

  it('tells what has failed, and passes it on', async () => {
    const failed: string[] = []
    for (const event of ['set', 'mset', 'del'] as const) {
      manager.on(event, ({ error }: { error?: unknown }) => failed.push(`${event} ${(error as Error).name}`))
    }
    manager.on('clear', (error) => failed.push(`clear ${(error as Error).name}`))
    expect(await manager.disconnect()).toBeUndefined()
    for (const call of [
      manager.set('key', 1),
      manager.mset([{ key: 'key', value: 1 }]),
      manager.del('key'),
      manager.mdel(['key']),
      manager.clear(),
    ]) {
      await expect(call).rejects.toBeInstanceOf(ClosedError)
    }
    expect(failed.sort()).toEqual(['clear ClosedError', 'del ClosedError', 'mset ClosedError', 'set ClosedError'])
  })
})
