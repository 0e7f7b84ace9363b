import { beforeEach, describe, expect, it } from 'vitest'
import type { Cache } from '../../../src/cache/cache.ts'
import { createCacheOn } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'
import { countLoads } from '../../support/loads.ts'

const TTL = 1000
const fail = (): Promise<never> => Promise.reject(new Error('the origin is down'))

describe('time, on memory alone', () => {
  let clock: FakeClock
  let random: FakeRandom
  beforeEach(() => {
    clock = new FakeClock()
    random = new FakeRandom()
  })

  const cacheWith = (options: Partial<CacheOptions> = {}): Cache =>
    createCacheOn({ ttl: TTL, ...options }, clock, random)

  /** A cache whose `key` was filled just now with 1, by a loader that goes on counting. */
  async function filled(options: Partial<CacheOptions> = {}) {
    const cache = cacheWith(options)
    const loads = countLoads((run) => run)
    await cache.getOrRefill('key', loads.loader)
    await clock.settle()
    return { cache, loads, read: () => cache.getOrRefill('key', loads.loader) }
  }

  describe('ttl', () => {
    it('a value is fresh until the last moment of its ttl, and not at its end', async () => {
      const { cache, loads, read } = await filled()
      await clock.advance(TTL - 1)
      expect([cache.peek('key'), await cache.get('key'), await read(), loads.runs]).toEqual([1, 1, 1, 1])
      await clock.advance(1)
      expect([cache.peek('key'), await cache.get('key')]).toEqual([undefined, undefined])
      expect([await read(), loads.runs]).toEqual([2, 2])
    })

    it('has ended for peek and getOrRefill at once, also while the coarse clock is behind', async () => {
      await clock.advance(0.5) // the quickest path sees whole ms
      const { cache, read } = await filled({ ttl: 2 * TTL, memory: { ttl: TTL } })
      const loadedAt = clock.now()
      clock.coarseNow = () => loadedAt + TTL - 0.3
      await clock.advance(TTL + 0.1)
      expect([cache.peek('key'), await read()]).toEqual([1, 1])
      clock.coarseNow = () => loadedAt + TTL
      expect([cache.peek('key'), await read()]).toEqual([undefined, 2])
    })

    it('counts from when the load ended, not from when it began', async () => {
      const cache = cacheWith()
      const value = deferred<string>()
      const call = cache.getOrRefill('key', () => value.promise)
      await clock.advance(5000)
      value.resolve('value')
      await call
      await clock.advance(TTL - 1)
      expect(cache.peek('key')).toBe('value')
    })

    it('of a call overrides that of the cache, and cacheFor overrides both', async () => {
      const cache = cacheWith()
      await cache.getOrRefill('call', () => 1, { ttl: 5000 })
      await cache.getOrRefill('loader', ({ cacheFor }) => (cacheFor({ ttl: 7000 }), 1), { ttl: 5000 })
      await clock.advance(4999)
      expect([cache.peek('call'), cache.peek('loader')]).toEqual([1, 1])
      await clock.advance(2000)
      expect([cache.peek('call'), cache.peek('loader')]).toEqual([undefined, 1])
      await clock.advance(1)
      expect(cache.peek('loader')).toBeUndefined()
    })

    it('of 0 by cacheFor makes a value stale from the start', async () => {
      const cache = cacheWith({ staleWhileRevalidate: TTL })
      await cache.getOrRefill('key', ({ cacheFor }) => (cacheFor({ ttl: 0 }), 'old'))
      await clock.settle()
      const refill = deferred<string>()
      expect(await cache.getOrRefill('key', () => refill.promise)).toBe('old')
      refill.resolve('new')
      await clock.settle()
      expect(cache.peek('key')).toBe('new')
    })

    it('beyond what timers and clocks hold is neither at once nor for ever', async () => {
      const cache = cacheWith({ ttl: Infinity, loadTimeout: Infinity, waitTimeout: 2 ** 53 })
      await cache.getOrRefill('key', () => 1)
      await clock.advance(365 * 24 * 60 * 60 * 1000 - 1)
      expect(cache.peek('key')).toBe(1)
      await clock.advance(1)
      expect(cache.peek('key')).toBeUndefined()
    })

    it('negativeTtl counts for null, and for nothing else', async () => {
      const cache = cacheWith({ negativeTtl: 100 })
      for (const value of [null, 0, false, '']) await cache.getOrRefill(`key ${value}`, () => value)
      await clock.advance(99)
      expect(cache.peek('key null')).toBe(null)
      await clock.advance(1)
      expect(cache.peek('key null')).toBeUndefined()
      expect([cache.peek('key 0'), cache.peek('key false'), cache.peek('key ')]).toEqual([0, false, ''])
    })

    it('jitter shortens it by up to its share, by chance', async () => {
      const cache = cacheWith({ jitter: 0.5 })
      for (const [key, chance] of [
        ['least', 0],
        ['half', 0.5],
        ['most', 0.999_999],
      ] as const) {
        random.force(chance)
        await cache.getOrRefill(key, () => 1)
      }
      const alive = (): unknown[] => ['least', 'half', 'most'].map((key) => cache.peek(key))
      await clock.advance(499)
      expect(alive()).toEqual([1, 1, 1])
      await clock.advance(1)
      expect(alive()).toEqual([1, 1, undefined])
      await clock.advance(250)
      expect(alive()).toEqual([1, undefined, undefined])
      await clock.advance(249)
      expect(alive()).toEqual([1, undefined, undefined])
      await clock.advance(1)
      expect(alive()).toEqual([undefined, undefined, undefined])
    })

    it("memory's own ttl ends earlier; without Redis it is then loaded again", async () => {
      const { cache, loads, read } = await filled({ memory: { ttl: 100 }, staleWhileRevalidate: TTL })
      await clock.advance(99)
      expect(await read()).toBe(1)
      await clock.advance(1)
      expect(cache.peek('key')).toBeUndefined()
      expect([await read(), loads.runs]).toEqual([2, 2])
    })
  })

  it('a jump of the wall clock, either way, changes nothing', async () => {
    for (const jump of [3_600_000, -3_600_000]) {
      const { cache, loads, read } = await filled()
      clock.jumpWall(jump)
      expect([await read(), loads.runs, cache.peek('key')]).toEqual([1, 1, 1])
      await clock.advance(TTL)
      expect(await read()).toBe(2)
    }
  })

  it('a blocked event loop makes nothing live longer', async () => {
    const { read } = await filled()
    await clock.block(TTL)
    expect(await read()).toBe(2)
  })

  describe('staleWhileRevalidate', () => {
    it('serves the stale value until the last moment of the window, with one refill at a time', async () => {
      const { cache, read } = await filled({ staleWhileRevalidate: 500 })
      await clock.advance(TTL + 499)
      const refill = deferred<number>()
      const loads = countLoads(() => refill.promise)
      const reads = Array.from({ length: 10 }, () => cache.getOrRefill('key', loads.loader))
      expect(new Set(await Promise.all(reads))).toEqual(new Set([1]))
      expect(loads.runs).toBe(0) // they are away before the refill begins
      await clock.settle()
      expect(loads.runs).toBe(1)
      refill.resolve(7)
      await clock.settle()
      expect(await read()).toBe(7)
    })

    it('at the end of the window waits for the refill', async () => {
      const { loads, read } = await filled({ staleWhileRevalidate: 500 })
      await clock.advance(TTL + 500)
      expect([await read(), loads.runs]).toEqual([2, 2])
    })

    it('tells the loader that it runs in the background, and what it is to replace', async () => {
      const { cache } = await filled({ staleWhileRevalidate: 500 })
      await clock.advance(TTL)
      const seen: unknown[] = []
      await cache.getOrRefill('key', ({ background, stale }) => seen.push(background, stale))
      await clock.settle()
      expect(seen).toEqual([true, 1])
    })

    it('a background refill that fails is an event, not an unhandled rejection, and backs off', async () => {
      const { cache, read } = await filled({ staleWhileRevalidate: 10_000 })
      await clock.advance(TTL)
      const errors: unknown[] = []
      cache.on('refill-failed', ({ error }) => errors.push(error))
      expect(await cache.getOrRefill('key', fail)).toBe(1)
      await clock.settle()
      expect(errors).toEqual([new Error('the origin is down')])
      await clock.advance(999)
      expect(await read()).toBe(1)
      await clock.settle()
      expect(cache.stats().refills).toBe(1)
      await clock.advance(1)
      await read()
      await clock.settle()
      expect(cache.stats().refills).toBe(2)
    })
  })

  describe('staleIfError', () => {
    it('serves the stale value when the refill fails, until the last moment of the window', async () => {
      const { cache } = await filled({ staleIfError: 500 })
      await clock.advance(TTL + 499)
      expect(await cache.getOrRefill('key', fail)).toBe(1)
    })

    it('at the end of the window the failure is the answer', async () => {
      const { cache } = await filled({ staleIfError: 500 })
      await clock.advance(TTL + 500)
      await expect(cache.getOrRefill('key', fail)).rejects.toThrow('the origin is down')
    })

    it('makes nobody wait less: within it the refill is awaited', async () => {
      const { read } = await filled({ staleIfError: 500 })
      await clock.advance(TTL)
      expect(await read()).toBe(2)
    })

    it('holds for a loader that fails after the window has ended, by the time of the failure', async () => {
      const { cache } = await filled({ staleIfError: 500 })
      await clock.advance(TTL)
      const value = deferred<number>()
      const call = cache.getOrRefill('key', () => value.promise)
      const outcome = expect(call).rejects.toThrow('late')
      await clock.advance(500)
      value.reject(new Error('late'))
      await outcome
    })

    it('tries again after 1 s, 2 s, 4 s … 30 s of failures, and not a moment sooner', async () => {
      const { cache } = await filled({ staleIfError: 10_000_000 })
      await clock.advance(TTL)
      const loads = countLoads(fail)
      const read = (): Promise<unknown> => cache.getOrRefill('key', loads.loader)
      let runs = 0
      for (const pause of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
        expect(await read()).toBe(1)
        expect(loads.runs).toBe(++runs)
        await clock.advance(pause - 1)
        expect(await read()).toBe(1)
        expect(loads.runs).toBe(runs)
        await clock.advance(1)
      }
    })

    it('starts from 1 s again after a success', async () => {
      const { cache } = await filled({ staleIfError: 10_000_000 })
      await clock.advance(TTL)
      for (let i = 0; i < 3; i++) {
        await cache.getOrRefill('key', fail)
        await clock.advance(30_000)
      }
      await cache.getOrRefill('key', () => 2)
      await clock.advance(TTL)
      await cache.getOrRefill('key', fail)
      await clock.advance(1000)
      expect(await cache.getOrRefill('key', () => 3)).toBe(3)
    })
  })

  it('after an unshareable result callers do not wait for one another for 5 s, and then do again', async () => {
    const cache = cacheWith()
    await cache.getOrRefill('key', ({ doNotShare }) => doNotShare())
    const together = async (): Promise<number> => {
      const gate = deferred()
      const loads = countLoads(() => gate.promise)
      const calls = [cache.getOrRefill('key', loads.loader), cache.getOrRefill('key', loads.loader)]
      await clock.settle()
      gate.resolve()
      await Promise.all(calls)
      return loads.runs
    }
    await clock.advance(4999)
    expect(await together()).toBe(2)
    await clock.advance(1)
    expect(await together()).toBe(1)
  })

  it('an early expiration refills in the background, the likelier the nearer the end and the longer the load', async () => {
    const cache = cacheWith({ earlyExpiration: { beta: 1 } })
    const first = deferred<number>()
    const call = cache.getOrRefill('key', () => first.promise)
    await clock.advance(100) // the load takes 100 ms
    first.resolve(1)
    await call
    await clock.advance(TTL - 200) // XFetch with chance u is due when 100 * -ln(1 - u) >= 200: from u = 0.8647
    const loads = countLoads(() => 2)
    random.force(0.86)
    expect(await cache.getOrRefill('key', loads.loader)).toBe(1)
    await clock.settle()
    expect(loads.runs).toBe(0)
    random.force(0.87)
    expect(await cache.getOrRefill('key', loads.loader)).toBe(1)
    await clock.settle()
    expect([loads.runs, cache.peek('key')]).toEqual([1, 2])
  })

  it('leaves no timer behind', async () => {
    const { read } = await filled({ staleWhileRevalidate: 5000, staleIfError: 5000, softTimeout: 10 })
    await clock.advance(TTL)
    await read()
    await clock.settle()
    expect(clock.pendingTimers).toBe(0)
  })
})
