import { describe, expect, it, vi } from 'vitest'
import { createTestbed } from '../../../src/testing.ts'
import { deferred } from '../../support/deferred.ts'

describe('a testbed in memory alone', () => {
  it('has entries expire when time is advanced, and not before', async () => {
    const testbed = createTestbed()
    const cache = testbed.createCache({ ttl: 60_000 })
    let loads = 0
    const ask = (): Promise<number> => cache.getOrRefill('key', () => ++loads)
    expect(await ask()).toBe(1)
    await testbed.advance(59_999)
    expect(await ask()).toBe(1)
    await testbed.advance(1)
    expect(await ask()).toBe(2)
    expect(testbed.now).toBe(60_000)
    await testbed.close()
  })

  it('runs what becomes due at its own instant, and all that follows from it, promises included', async () => {
    const testbed = createTestbed()
    const steps: string[] = []
    const step = async (name: string, ...delays: number[]): Promise<void> => {
      for (const ms of delays) {
        await testbed.delay(ms)
        for (let turns = 0; turns < 20; turns++) await Promise.resolve()
        steps.push(`${name} at ${testbed.now}`)
      }
    }
    void step('a', 100, 300)
    void step('b', 250, 50)
    await testbed.advance(350)
    expect(steps).toEqual(['a at 100', 'b at 250', 'b at 300'])
    await testbed.advance(50)
    expect(steps.at(-1)).toBe('a at 400')
  })

  it('advances in the order of calls, whether or not they are awaited', async () => {
    const testbed = createTestbed()
    const reached: number[] = []
    const first = testbed.advance(100).then(() => reached.push(testbed.now))
    const second = testbed.advance(50).then(() => reached.push(testbed.now))
    await Promise.all([first, second])
    expect(reached).toEqual([100, 150])
  })

  it('gives up a loader at loadTimeout', async () => {
    const testbed = createTestbed()
    const cache = testbed.createCache({ ttl: 1000, loadTimeout: 5000 })
    const refused = expect(cache.getOrRefill('key', () => testbed.delay(60_000))).rejects.toMatchObject({
      code: 'LOAD_TIMEOUT',
    })
    await testbed.advance(5000)
    await refused
    expect(testbed.calls('key')).toEqual([{ key: 'key', startedAt: 0, answeredAt: 5000 }])
  })

  it('serves a stale value while one refill runs in the background', async () => {
    const testbed = createTestbed()
    const cache = testbed.createCache({ ttl: 1000, staleWhileRevalidate: 5000 })
    let version = 0
    const load = async (): Promise<number> => {
      await testbed.delay(200)
      return ++version
    }
    const first = cache.getOrRefill('key', load)
    await testbed.advance(200)
    expect(await first).toBe(1)
    await testbed.advance(1000)
    testbed.forget()
    expect(await Promise.all([1, 2, 3].map(() => cache.getOrRefill('key', load)))).toEqual([1, 1, 1])
    await testbed.advance(200)
    testbed.assertOneLoad('key')
    testbed.assertLongestWait(0)
    expect(await cache.getOrRefill('key', load)).toBe(2)
    await testbed.assertNothingLeft()
  })

  it('repeats chance with the seed', async () => {
    const lifetimes = async (seed: number): Promise<number[]> => {
      const testbed = createTestbed({ seed })
      const cache = testbed.createCache({ ttl: 1000, jitter: 0.9 })
      const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`)
      for (const key of keys) await cache.set(key, 1)
      const found: number[] = []
      for (let i = 0; i < 100; i++) {
        await testbed.advance(10)
        found.push(keys.filter((key) => cache.peek(key) === undefined).length)
      }
      return found
    }
    expect(await lifetimes(7)).toEqual(await lifetimes(7))
    expect(await lifetimes(7)).not.toEqual(await lifetimes(8))
  })

  it('works under fake timers, which it does not follow', async () => {
    vi.useFakeTimers()
    try {
      const testbed = createTestbed()
      const cache = testbed.createCache({ ttl: 1000 })
      await cache.set('key', 1)
      vi.advanceTimersByTime(60_000)
      expect(cache.peek('key')).toBe(1)
      await testbed.advance(1000)
      expect(cache.peek('key')).toBe(undefined)
    } finally {
      vi.useRealTimers()
    }
  })

  it.each(['createLocker', 'die', 'redisAway', 'loseMessages'] as const)('refuses %s', async (method) => {
    const process = createTestbed().process() as unknown as Record<string, (argument?: number) => unknown>
    expect(() => process[method]?.(method === 'createLocker' ? undefined : 1)).toThrow(
      `${method} needs a testbed with redis, received one in memory alone`,
    )
  })

  it('refuses to lose what is only in Redis', async () => {
    const testbed = createTestbed()
    await expect(testbed.loseLease('key')).rejects.toThrow('loseLease needs a testbed with redis')
    await expect(testbed.loseLock('key')).rejects.toThrow('loseLock needs a testbed with redis')
  })

  it('refuses options and arguments that cannot be honoured', async () => {
    expect(() => createTestbed({ seed: 0.5 })).toThrow('seed must be a whole number, received 0.5')
    expect(() => createTestbed(null as never)).toThrow('options must be an object')
    expect(() => createTestbed({ redis: {} as never })).toThrow('redis must be')
    const testbed = createTestbed()
    expect(() => testbed.advance(-1)).toThrow('ms must be a whole number of milliseconds, 0 or more, received -1')
    const redis = { redis: {} } as object
    expect(() => testbed.createCache({ ttl: 1, ...redis })).toThrow('redis must not be given here')
  })
})

describe('its assertions', () => {
  it('tell of a key that was loaded twice or never', async () => {
    const testbed = createTestbed()
    const cache = testbed.createCache({ ttl: 1000 })
    expect(() => testbed.assertOneLoad('key')).toThrow('expected one load of "key", saw 0')
    await cache.getOrRefill('key', () => 1)
    testbed.assertOneLoad('key')
    await testbed.advance(1000)
    await cache.getOrRefill('key', () => 1)
    expect(() => testbed.assertOneLoad('key')).toThrow('expected one load of "key", saw 2 (at 0 ms, 1000 ms)')
    testbed.forget()
    expect(() => testbed.assertOneLoad('key')).toThrow('saw 0')
  })

  it('tell of a call that took too long, and of one that still waits', async () => {
    const testbed = createTestbed()
    const cache = testbed.createCache({ ttl: 1000 })
    const gate = deferred<number>()
    const answer = cache.getOrRefill('key', () => gate.promise)
    await testbed.advance(300)
    testbed.assertLongestWait(300)
    expect(() => testbed.assertLongestWait(299)).toThrow(
      'expected every call to be answered within 299 ms; 1 took longer, one for "key" 300 ms, and still waits',
    )
    gate.resolve(1)
    await answer
    await testbed.advance(500)
    testbed.assertLongestWait(300, 'key')
    expect(() => testbed.assertLongestWait(299, 'key')).toThrow('one for "key" 300 ms')
    testbed.assertLongestWait(0, 'another')
  })

  it('tell what is left', async () => {
    const testbed = createTestbed()
    const cache = testbed.createCache({ ttl: 1000 })
    await testbed.assertNothingLeft()
    const gate = deferred<number>()
    const answer = cache.getOrRefill('key', () => gate.promise)
    await expect(testbed.assertNothingLeft()).rejects.toThrow(
      'a call for "key" waits\n  a loader of "key" runs\n  a refill of "key" is under way',
    )
    gate.resolve(1)
    await answer
    await testbed.assertNothingLeft()
  })

  it('see batches, loaders that throw, and namespaces', async () => {
    const testbed = createTestbed()
    const cache = testbed.createCache({ ttl: 1000 })
    await cache.getOrRefillMany(['a', 'b'], (keys) => new Map(keys.map((key) => [key, 1])))
    const users = cache.namespace('users')
    await expect(
      users.getOrRefill('42', () => {
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect(testbed.loads().map(({ key, endedAt }) => [key, endedAt])).toEqual([
      ['a', 0],
      ['b', 0],
      ['users/42', 0],
    ])
    expect(testbed.calls('users/42')).toHaveLength(1)
    await testbed.assertNothingLeft()
  })
})
