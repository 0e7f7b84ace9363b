import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import { createCache } from '../../src/index.ts'
import { Locker } from '../../src/lock.ts'
import { cacheLab, gatedLoad, settled, warmUp } from '../support/cache-lab.ts'

const lab = cacheLab()

const realTimeout = setTimeout
const realPause = (ms: number): Promise<void> => new Promise((resolve) => realTimeout(resolve, ms))

/** What vitest, sinon and jest replace by default, and what they can replace besides, but for nextTick. */
const KINDS = {
  'usual fakes': [
    ...(['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'] as const),
    'Date',
  ],
  'all fakes': [
    ...(['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'] as const),
    ...(['Date', 'performance', 'hrtime', 'queueMicrotask'] as const),
  ],
} as const

describe.each(['usual fakes', 'all fakes'] as const)('%s', (kind) => {
  const install = (): void => void vi.useFakeTimers({ toFake: [...KINDS[kind]] })
  const remove = (): void => void vi.useRealTimers()
  afterEach(remove)

  describe.each(['without', 'with'])('around a cache %s Redis', (redis) => {
    async function aCache(options: Partial<CacheOptions> & { ttl: number }): Promise<Cache> {
      if (redis === 'with') {
        const cache = lab.cache(options)
        await warmUp(lab.redis, cache)
        return cache
      }
      const cache = createCache(options)
      onTestFinished(() => cache.close())
      return cache
    }

    /** Counts the loads of a key. */
    function counter(cache: Cache, key: string): () => Promise<number> {
      let loads = 0
      return () => cache.getOrRefill(key, () => ++loads)
    }

    it('expire what the cache has, by their time', async () => {
      const cache = await aCache({ ttl: 60_000 })
      const ask = counter(cache, 'key')
      expect(await ask()).toBe(1)
      expect(await ask()).toBe(1)
      await settled(cache)
      install()
      expect(cache.peek('key')).toBe(1)
      vi.advanceTimersByTime(30_000)
      expect(cache.peek('key')).toBe(1)
      vi.advanceTimersByTime(30_001)
      expect(cache.peek('key')).toBe(undefined)
    })

    it('keep nothing fresh for longer in real time, once they are gone', async () => {
      install()
      vi.advanceTimersByTime(3_600_000)
      remove()
      const cache = await aCache({ ttl: 50 })
      const ask = counter(cache, 'key')
      install()
      expect(await ask()).toBe(1)
      vi.advanceTimersByTime(10)
      expect(await ask()).toBe(1)
      remove()
      await realPause(80)
      expect(cache.peek('key')).toBe(undefined)
      expect(await ask()).toBe(2)
      await realPause(80)
      expect(await ask()).toBe(3)
    })

    it('let what was advanced in them expire early at most', async () => {
      const cache = await aCache({ ttl: 60 })
      const ask = counter(cache, 'key')
      install()
      await ask()
      vi.advanceTimersByTime(5000)
      await ask()
      remove()
      const before = await ask()
      await cache.set('set', 'value')
      await realPause(120)
      expect(await ask()).toBeGreaterThan(before)
      expect(await cache.get('set')).toBe(undefined)
    })

    it('change no promise about time for what is under way when they go', async () => {
      const cache = await aCache({ ttl: 1000, loadTimeout: 100 })
      install()
      const load = gatedLoad<number>()
      const refused = expect(cache.getOrRefill('key', load.loader)).rejects.toMatchObject({ code: 'LOAD_TIMEOUT' })
      await load.started
      remove()
      await refused
    })

    it('let loads, sets and invalidations come to their end while they stand still', async () => {
      install()
      const cache = await aCache({ ttl: 1000 })
      for (let turn = 0; turn < 3; turn++) {
        const keys = Array.from({ length: 50 }, (_, i) => `${turn}:${i}`)
        expect(await Promise.all(keys.map((key) => cache.getOrRefill(key, () => key)))).toEqual(keys)
        await cache.set('set', turn)
        expect(await cache.get('set')).toBe(turn)
        await cache.invalidate(keys)
      }
    })
  })

  it('leave no deadline of Redis behind when they go', async () => {
    const cache = lab.cache({ commandTimeout: 150, memory: false })
    await warmUp(lab.redis, cache)
    lab.redis.pause()
    install()
    const answers = [1, 2, 3].map((key) => cache.getOrRefill(String(key), () => key))
    remove()
    expect(await Promise.all(answers)).toEqual([1, 2, 3])
    lab.redis.resume()
  })

  it('end the wait for a Redis that does not answer by their time', async () => {
    install()
    const cache = lab.cache({ commandTimeout: 60_000, memory: false })
    await warmUp(lab.redis, cache)
    lab.redis.pause()
    const answer = cache.getOrRefill('key', () => 1)
    vi.advanceTimersByTime(60_001)
    expect(await answer).toBe(1)
    lab.redis.resume()
  })

  it.each([
    ['under them', () => {}],
    ['after them', remove],
  ])('let no set %s outlive its ttl in Redis', async (_when, end) => {
    const [cache, other] = [lab.cache({ memory: false }), lab.cache({ memory: false })]
    await warmUp(lab.redis, cache, other)
    await cache.set('measured', 1)
    install()
    await cache.set('measured', 2)
    await realPause(200)
    await cache.set('measured again', 3)
    vi.advanceTimersByTime(5000)
    end()
    await cache.set('key', 'old', { ttl: 50, staleIfError: 60_000 }) // by which Redis keeps it
    await realPause(150)
    remove()
    expect(await other.getOrRefill('key', () => 'new')).toBe('new')
  })

  it('let a lock be waited for and handed over', async () => {
    const locker = new Locker({ clients: lab.client() })
    lab.atEnd(() => locker.close())
    install()
    const held = await locker.acquire(`${lab.prefix}-lock`, 60_000)
    const waiting = locker.acquire(`${lab.prefix}-lock`, 60_000)
    await held.release()
    remove()
    await (await waiting).release()
  })
})
