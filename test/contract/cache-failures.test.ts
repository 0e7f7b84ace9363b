import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { RefillFailedError } from '../../src/errors.ts'
import { deferred } from '../support/deferred.ts'
import { cachesOn, counter, expired, hearEachOther, settled, setups } from './cache-setups.ts'

class NotFound extends Error {
  override readonly name = 'NotFound'
}

describe.each(setups)('failureTtl on $name', (setup) => {
  const { cacheWith } = cachesOn(setup)
  const fail = (): Promise<never> => Promise.reject(new NotFound('no such user'))

  /** A cache in which the load of `key`, with the tag `t`, has failed. */
  async function failed(options = {}): Promise<Cache> {
    const cache = cacheWith({ failureTtl: 60_000, ...options })
    await expect(cache.getOrRefill('key', fail, { tags: ['t'] })).rejects.toBeInstanceOf(NotFound)
    await settled(cache)
    return cache
  }

  test('a failure is remembered: later callers are told at once, and no loader runs', async () => {
    const cache = await failed()
    const loads = counter(() => 'value')
    for (let i = 0; i < 3; i++) {
      const refused = cache.getOrRefill('key', loads.loader)
      await expect(refused).rejects.toBeInstanceOf(RefillFailedError)
      await expect(refused).rejects.toMatchObject({
        code: 'REFILL_FAILED',
        remoteName: 'NotFound',
        message: expect.stringMatching(/^refill of ".*key" failed in .+: NotFound: no such user$/) as string,
        origin: expect.stringContaining(`:${process.pid}`) as string,
      })
    }
    expect(loads.runs).toBe(0)
    expect([cache.peek('key'), await cache.get('key')]).toEqual([undefined, undefined])
    expect((await cache.examine('key')).state).toBe('failed')
    expect(await cache.getOrRefill('other', loads.loader)).toBe('value')
  })

  test('without it, whoever tries again at once runs a loader of its own', async () => {
    const cache = cacheWith()
    await hearEachOther([cache])
    for (let n = 0; n < 10; n++) {
      await expect(cache.getOrRefill(`key ${n}`, () => Promise.reject(new Error('down')))).rejects.toThrow('down')
      expect(await cache.getOrRefill(`key ${n}`, () => 'up')).toBe('up')
    }
  })

  test('for that time, and no longer', async () => {
    const cache = await failed({ failureTtl: 30 })
    await expired(30)
    expect(await cache.getOrRefill('key', () => 'value')).toBe('value')
  })

  test.each<[string, (cache: Cache) => Promise<void>]>([
    ['invalidate', (cache) => cache.invalidate('key')],
    ['expire', (cache) => cache.expire('key')],
    ['invalidateTags', (cache) => cache.invalidateTags('t')],
    ['expireTags', (cache) => cache.expireTags('t')],
    ['clear', (cache) => cache.clear()],
  ])('%s forgets it', async (_name, change) => {
    const cache = await failed()
    await change(cache)
    expect(await cache.getOrRefill('key', () => 'value')).toBe('value')
  })

  test('set takes its place', async () => {
    const cache = await failed()
    await cache.set('key', 'set')
    expect(await cache.getOrRefill('key', fail)).toBe('set')
  })

  test('the failure of a load that began before a change is not remembered', async () => {
    const cache = cacheWith({ failureTtl: 60_000 })
    const [slow, loading] = [deferred<string>(), deferred<void>()]
    const before = cache.getOrRefill('key', () => (loading.resolve(), slow.promise))
    await loading.promise
    await cache.invalidate('key')
    slow.reject(new NotFound('too early'))
    await expect(before).rejects.toThrow('too early')
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'value')).toBe('value')
  })

  test('a stale value comes first, and nothing is remembered then', async () => {
    const cache = cacheWith({ failureTtl: 60_000, staleIfError: 60_000 })
    await cache.set('key', 'old')
    await cache.expire('key')
    expect(await cache.getOrRefill('key', fail)).toBe('old')
    await settled(cache)
    await cache.expire('key') // ends the pause
    expect(await cache.getOrRefill('key', () => 'new')).toBe('new')
  })

  test('a function of the error says for how long', async () => {
    const asked: unknown[] = []
    const failureTtl = (error: unknown): number => (asked.push(error), error instanceof NotFound ? 60_000 : 0)
    const cache = await failed({ failureTtl })
    expect(asked).toEqual([expect.any(NotFound)])
    await expect(cache.getOrRefill('key', () => 'value')).rejects.toBeInstanceOf(RefillFailedError)
    const timeout = new Error('timeout')
    await expect(cache.getOrRefill('other', () => Promise.reject(timeout))).rejects.toBe(timeout)
    await settled(cache)
    expect(await cache.getOrRefill('other', () => 'value')).toBe('value')
  })

  test.each<[string, unknown]>([
    ['throws', undefined],
    ['returns a fraction', 0.5],
    ['returns a negative number', -1],
    ['returns no number', '1s'],
    ['returns a promise', Promise.resolve(1000)],
  ])('of a function that %s nothing comes but an error event', async (_what, result) => {
    const failureTtl = (): number => {
      if (result === undefined) throw new TypeError('what failureTtl returns must be known')
      return result as number
    }
    const errors: unknown[] = []
    const cache = cacheWith({ failureTtl })
    cache.on('error', ({ error }) => errors.push(error))
    await expect(cache.getOrRefill('key', fail)).rejects.toBeInstanceOf(NotFound)
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'value')).toBe('value')
    expect(String(errors[0])).toContain('what failureTtl returns must be')
  })

  test('an option of the call overrides that of the cache', async () => {
    const cache = cacheWith({ failureTtl: 60_000 })
    await expect(cache.getOrRefill('key', fail, { failureTtl: 0 })).rejects.toBeInstanceOf(NotFound)
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'value')).toBe('value')
  })

  test('a loader that has said doNotStore is not remembered either', async () => {
    const cache = cacheWith({ failureTtl: 60_000 })
    const call = cache.getOrRefill('key', ({ doNotStore }) => (doNotStore(), fail()))
    await expect(call).rejects.toBeInstanceOf(NotFound)
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'value')).toBe('value')
  })

  test('getOrRefillMany: each key has its own failure, and the others are loaded', async () => {
    const cache = await failed()
    const asked: string[][] = []
    const many = cache.getOrRefillMany<string>(['a', 'key', 'b'], (keys) => {
      asked.push([...keys])
      return new Map<string, never>(keys.map((key) => [key, (key === 'b' ? new NotFound('no b') : 'A') as never]))
    })
    await expect(many).rejects.toBeInstanceOf(RefillFailedError)
    await settled(cache)
    expect(asked).toEqual([['a', 'b']])
    expect(await cache.get('a')).toBe('A')
    await expect(cache.getOrRefill('b', () => 'value')).rejects.toMatchObject({ remoteName: 'NotFound' })
  })
})
