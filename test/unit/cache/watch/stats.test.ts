import { beforeEach, describe, expect, it } from 'vitest'
import { createCacheOn } from '../../../../src/cache/create-cache.ts'
import type { Cache } from '../../../../src/cache/cache.ts'
import type { CacheOptions } from '../../../../src/cache/options.ts'
import { DurationHistogram } from '../../../../src/cache/watch/stats.ts'
import { DURATION_BOUNDS } from '../../../../src/diagnostics.ts'
import { deferred } from '../../../support/deferred.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeRandom } from '../../../support/fake-random.ts'

let clock: FakeClock
beforeEach(() => {
  clock = new FakeClock()
})
const cacheWith = (options: Partial<CacheOptions> = {}): Cache =>
  createCacheOn({ ttl: 1000, ...options }, clock, new FakeRandom())

describe('a histogram of durations', () => {
  it('puts a duration into the first bucket whose bound is not below it, beyond all bounds into the last', () => {
    const histogram = new DurationHistogram([1, 10])
    for (const duration of [0, 1, 1.5, 10, 10.1, 1e9]) histogram.note(duration)
    expect(histogram.read()).toEqual({ count: 6, sum: 22.6 + 1e9, bounds: [1, 10], counts: [2, 2, 2] })
  })

  it('is read as it stands: what comes later changes nothing', () => {
    const histogram = new DurationHistogram([1])
    const read = histogram.read()
    histogram.note(1)
    expect(read).toEqual({ count: 0, sum: 0, bounds: [1], counts: [0, 0] })
  })

  it('has bounds that grow', () => {
    expect(DURATION_BOUNDS).toEqual(DURATION_BOUNDS.toSorted((one, other) => one - other))
  })
})

describe('stats', () => {
  it('count each call once, by how it was answered', async () => {
    const cache = cacheWith({ staleWhileRevalidate: 1000 })
    const value = deferred<number>()
    const calls = [1, 2, 3].map(() => cache.getOrRefill('key', () => value.promise))
    expect(cache.stats()).toMatchObject({ misses: 1, coalesced: 2, flights: 1, refills: 0 })
    value.resolve(1)
    await Promise.all(calls)
    await cache.getOrRefill('key', () => 2)
    await clock.advance(1500)
    await cache.getOrRefill('key', () => 3)
    expect(cache.stats()).toMatchObject({
      ...{ hits: 1, staleHits: 1, misses: 1, coalesced: 2, entries: 1, bytes: undefined, redis: [] },
      tiers: { memory: { hits: 1, staleHits: 1 }, redis: { hits: 0, staleHits: 0 } },
    })
  })

  it('count every call of a key whose results are not to be shared', async () => {
    const cache = cacheWith()
    const load = (): Promise<number> =>
      cache.getOrRefill('key', (context) => {
        context.doNotShare()
        return 1
      })
    await load()
    await load()
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 2, refills: 2 })
  })

  it('tell how long loads took, those that failed too', async () => {
    const cache = cacheWith()
    const [slow, broken] = [deferred<number>(), deferred<number>()]
    const calls = [cache.getOrRefill('slow', () => slow.promise), cache.getOrRefill('broken', () => broken.promise)]
    await clock.advance(7)
    slow.resolve(1)
    await clock.advance(100)
    broken.reject(new Error('no'))
    await Promise.allSettled(calls)
    const { loadTime, refills, refillFailures } = cache.stats()
    expect({ refills, refillFailures }).toEqual({ refills: 1, refillFailures: 1 })
    expect(loadTime).toMatchObject({ count: 2, sum: 114 })
    const bucketOf = (bound: number): number | undefined => loadTime.counts[loadTime.bounds.indexOf(bound)]
    expect([bucketOf(10), bucketOf(250)]).toEqual([1, 1])
  })

  it('know the bytes in memory where those are bounded', async () => {
    const cache = cacheWith({ memory: { maxBytes: 1000 } })
    expect(cache.stats().bytes).toBe(0)
    await cache.set('key', 'x'.repeat(97)) // and two quotes and a tag
    expect(cache.stats()).toMatchObject({ entries: 1, bytes: 100 })
    await cache.invalidate('key')
    expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0, invalidations: 1 })
  })
})

describe('the name of a cache', () => {
  it('is its prefix unless it has one of its own', () => {
    expect(cacheWith().name).toBe('herdlock')
    expect(cacheWith({ prefix: 'app' }).name).toBe('app')
    expect(cacheWith({ prefix: 'app', name: 'users' }).name).toBe('users')
  })
})
