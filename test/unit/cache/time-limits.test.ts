import { beforeEach, describe, expect, it } from 'vitest'
import type { Cache } from '../../../src/cache/cache.ts'
import { createCacheOn } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import { LoadTimeoutError } from '../../../src/errors.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'
import { countLoads } from '../../support/loads.ts'

const TTL = 1000
const fail = (): Promise<never> => Promise.reject(new Error('the origin is down'))

describe('limits of waiting, on memory alone', () => {
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

  describe('softTimeout', () => {
    it('waits for the fresh value, and takes the stale one at its end', async () => {
      const { cache } = await filled({ staleWhileRevalidate: 5000, softTimeout: 100 })
      await clock.advance(TTL)
      const value = deferred<number>()
      let answer: unknown
      void cache.getOrRefill('key', () => value.promise).then((got) => (answer = got))
      await clock.advance(99)
      expect(answer).toBeUndefined()
      await clock.advance(1)
      expect(answer).toBe(1)
      value.resolve(2)
      await clock.settle()
      expect(cache.peek('key')).toBe(2)
      expect(clock.pendingTimers).toBe(0)
    })

    it('gives the fresh value that comes in time, and the stale one at once for a failure', async () => {
      const { cache, read } = await filled({ staleWhileRevalidate: 5000, softTimeout: 100 })
      await clock.advance(TTL)
      expect(await cache.getOrRefill('key', fail)).toBe(1)
      await clock.advance(1000)
      expect(await read()).toBe(2)
    })

    it('of a caller that aborts does not turn into a stale answer', async () => {
      const { cache } = await filled({ staleWhileRevalidate: 5000, softTimeout: 100 })
      await clock.advance(TTL)
      const controller = new AbortController()
      const call = cache.getOrRefill('key', () => new Promise(() => {}), { signal: controller.signal })
      controller.abort(new Error('left'))
      await expect(call).rejects.toThrow('left')
      await clock.settle()
      expect(clock.pendingTimers).toBe(0)
    })

    it('leaves a refill in the background that the caller, once served, does not end', async () => {
      const { cache } = await filled({ staleWhileRevalidate: 5000, softTimeout: 100 })
      await clock.advance(TTL)
      const value = deferred<number>()
      const controller = new AbortController()
      const call = cache.getOrRefill('key', () => value.promise, { signal: controller.signal })
      await clock.advance(100)
      expect(await call).toBe(1)
      controller.abort()
      value.resolve(2)
      await clock.settle()
      expect(cache.peek('key')).toBe(2)
    })

    it('of one caller is not cut short by a patient one, nor its load aborted', async () => {
      const { cache } = await filled({ staleWhileRevalidate: 5000, softTimeout: 100 })
      await clock.advance(TTL)
      const value = deferred<number>()
      const impatient = new AbortController()
      const calls = [
        cache.getOrRefill('key', () => value.promise, { signal: impatient.signal }),
        cache.getOrRefill('key', () => value.promise, { softTimeout: 1000 }),
      ]
      const left = expect(calls[0]).rejects.toThrow('left')
      impatient.abort(new Error('left'))
      await left
      await clock.advance(500)
      value.resolve(2)
      expect(await calls[1]).toBe(2)
    })
  })

  describe('loadTimeout', () => {
    it('ends a load at its very moment, aborts its signal, and discards what comes later', async () => {
      const cache = cacheWith({ loadTimeout: 500 })
      const late = deferred<string>()
      let signal: AbortSignal | undefined
      let outcome: unknown
      cache
        .getOrRefill('key', (context) => ((signal = context.signal), late.promise))
        .catch((error: unknown) => (outcome = error))
      await clock.advance(499)
      expect([outcome, signal?.aborted]).toEqual([undefined, false])
      await clock.advance(1)
      expect(outcome).toBeInstanceOf(LoadTimeoutError)
      expect(signal?.reason).toBe(outcome)
      late.resolve('late')
      await clock.settle()
      expect(cache.peek('key')).toBeUndefined()
      expect(clock.pendingTimers).toBe(0)
    })

    it('is a failure like others: staleIfError covers it', async () => {
      const { cache } = await filled({ staleIfError: 5000, loadTimeout: 500 })
      await clock.advance(TTL)
      const call = cache.getOrRefill('key', () => new Promise<number>(() => {}))
      await clock.advance(500)
      expect(await call).toBe(1)
    })

    it('holds for each caller that loads alone', async () => {
      const cache = cacheWith({ loadTimeout: 500 })
      await cache.getOrRefill('key', ({ doNotShare }) => doNotShare())
      const call = cache.getOrRefill('key', () => new Promise(() => {}))
      const outcome = expect(call).rejects.toBeInstanceOf(LoadTimeoutError)
      await clock.advance(500)
      await outcome
      expect(clock.pendingTimers).toBe(0)
    })
  })
})
