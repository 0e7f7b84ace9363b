import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createCache } from '../../src/cache/create-cache.ts'
import type { Cache } from '../../src/cache/cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import { ClosedError, LoadTimeoutError, ReentrantRefillError } from '../../src/errors.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'

type Setup = { name: string; options: () => Partial<CacheOptions> }

const clients: { ioredis6?: Redis; ioredis5?: Redis5 } = {}
beforeAll(() => {
  clients.ioredis6 = new Redis(sharedRedis().url)
  clients.ioredis5 = new Redis5(sharedRedis().url)
})
afterAll(async () => {
  await clients.ioredis6?.quit()
  await clients.ioredis5?.quit()
})

const setups: Setup[] = [
  { name: 'memory alone', options: () => ({}) },
  { name: 'memory and Redis (ioredis 6)', options: () => ({ redis: clients.ioredis6 as Redis }) },
  { name: 'memory and Redis (ioredis 5)', options: () => ({ redis: clients.ioredis5 as Redis5 }) },
  { name: 'Redis alone', options: () => ({ redis: clients.ioredis6 as Redis, memory: false }) },
]

describe.each(setups)('getOrRefill on $name', ({ options }) => {
  const open: Cache[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((cache) => cache.close()))
  })

  function cacheWith(more: Partial<CacheOptions> = {}): Cache {
    const cache = createCache({ ttl: 60_000, prefix: uniquePrefix('cache'), ...options(), ...more })
    open.push(cache)
    return cache
  }

  test('runs the loader once for all callers of a cold key, and not again while the value is fresh', async () => {
    const cache = cacheWith()
    const loads = counter((n) => ({ n }))
    const values = await Promise.all(Array.from({ length: 100 }, () => cache.getOrRefill('key', loads.loader)))
    expect(values).toEqual(Array.from({ length: 100 }, () => ({ n: 1 })))
    expect(await cache.getOrRefill('key', loads.loader)).toEqual({ n: 1 })
    expect(loads.runs).toBe(1)
  })

  test.each([null, 0, '', false, 'text', -0, Number.NaN, 10n])('takes %o for a value and keeps it', async (value) => {
    const cache = cacheWith()
    const loads = counter(() => value)
    expect(await cache.getOrRefill('key', loads.loader)).toBe(value)
    await settled(cache)
    expect(await cache.getOrRefill('key', loads.loader)).toBe(value)
    expect(loads.runs).toBe(1)
  })

  test('returns undefined without storing it', async () => {
    const cache = cacheWith()
    const loads = counter(() => undefined)
    expect(await cache.getOrRefill('key', loads.loader)).toBeUndefined()
    await settled(cache)
    expect(await cache.getOrRefill('key', loads.loader)).toBeUndefined()
    expect(loads.runs).toBe(2)
  })

  test.each([
    ['an Error', new Error('no')],
    ['undefined', undefined],
    ['a string', 'no'],
  ])('rejects every waiter with the very reason of the loader: %s', async (_name, reason) => {
    const cache = cacheWith()
    const loads = counter(() => Promise.reject(reason))
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => cache.getOrRefill('key', loads.loader)))
    expect(loads.runs).toBe(1)
    for (const result of results) expect(result).toEqual({ status: 'rejected', reason })
    await settled(cache)
    await expect(cache.getOrRefill('key', () => 'now')).resolves.toBe('now')
  })

  test('rejects when the loader throws, as when it rejects', async () => {
    const cache = cacheWith()
    const error = new Error('thrown')
    const loader = (): never => {
      throw error
    }
    await expect(cache.getOrRefill('key', loader)).rejects.toBe(error)
  })

  test('takes the first settlement of a hostile thenable', async () => {
    const cache = cacheWith()
    const hostile = {
      then(resolve: (value: string) => void, reject: (reason: unknown) => void) {
        resolve('first')
        reject(new Error('second'))
        throw new Error('third')
      },
    }
    await expect(cache.getOrRefill('key', () => hostile as unknown as Promise<string>)).resolves.toBe('first')
  })

  test('serves a stale value at once while one caller refills it in the background', async () => {
    const cache = cacheWith({ ttl: 20, staleWhileRevalidate: 60_000 })
    await cache.getOrRefill('key', () => 'old')
    await settled(cache)
    await expired(20)
    const refill = deferred<string>()
    const backgrounds: boolean[] = []
    const loader = ({ background }: { background: boolean }): Promise<string> => {
      backgrounds.push(background)
      return refill.promise
    }
    for (let i = 0; i < 10; i++) expect(await cache.getOrRefill('key', loader)).toBe('old')
    refill.resolve('new')
    await settled(cache)
    expect(backgrounds).toEqual([true])
    expect(await cache.getOrRefill('key', () => 'newer', { ttl: 60_000 })).toBe('new')
  })

  test('serves a stale value within staleIfError when the refill fails', async () => {
    const cache = cacheWith({ ttl: 20, staleIfError: 60_000 })
    await cache.getOrRefill('key', () => 'old')
    await settled(cache)
    await expired(20)
    await expect(cache.getOrRefill('key', () => Promise.reject(new Error('down')))).resolves.toBe('old')
  })

  test('gives a loader up after loadTimeout, aborts its signal, and discards its late result', async () => {
    const cache = cacheWith({ loadTimeout: 30 })
    const late = deferred<string>()
    let reason: unknown
    const call = cache.getOrRefill('key', ({ signal }) => {
      signal.addEventListener('abort', () => (reason = signal.reason))
      return late.promise
    })
    await expect(call).rejects.toBeInstanceOf(LoadTimeoutError)
    expect(reason).toBeInstanceOf(LoadTimeoutError)
    late.resolve('late')
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'again')).toBe('again')
  })

  test('rejects only the caller that aborts; aborts the load with the last one', async () => {
    const cache = cacheWith()
    const started = deferred<AbortSignal>()
    const loader = ({ signal }: { signal: AbortSignal }): Promise<string> => {
      started.resolve(signal)
      return new Promise(() => {})
    }
    const first = new AbortController()
    const second = new AbortController()
    const calls = [first, second].map(({ signal }) => cache.getOrRefill('key', loader, { signal }))
    const loadSignal = await started.promise
    first.abort(new Error('first leaves'))
    await expect(calls[0]).rejects.toThrow('first leaves')
    expect(loadSignal.aborted).toBe(false)
    second.abort(new Error('second leaves'))
    await expect(calls[1]).rejects.toThrow('second leaves')
    expect(loadSignal.aborted).toBe(true)
    await expect(cache.getOrRefill('key', () => 'after')).resolves.toBe('after')
  })

  test('rejects alike for a signal that is aborted already, on hit and on miss, without loading', async () => {
    const cache = cacheWith()
    const loads = counter(() => 'value')
    const signal = AbortSignal.abort(new Error('too late'))
    await expect(cache.getOrRefill('key', loads.loader, { signal })).rejects.toThrow('too late')
    expect(loads.runs).toBe(0)
    await cache.getOrRefill('key', loads.loader)
    await expect(cache.getOrRefill('key', loads.loader, { signal })).rejects.toThrow('too late')
  })

  test('a refill that began before an invalidation is delivered to its callers but not stored', async () => {
    const cache = cacheWith()
    const slow = deferred<string>()
    const loading = deferred<void>()
    const before = cache.getOrRefill('key', () => {
      loading.resolve()
      return slow.promise
    })
    await loading.promise
    await cache.invalidate('key')
    expect(await cache.getOrRefill('key', () => 'new')).toBe('new')
    slow.resolve('old')
    expect(await before).toBe('old')
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'newer')).toBe('new')
  })

  test('a value set while a refill runs survives it', async () => {
    const cache = cacheWith()
    const slow = deferred<string>()
    const loading = deferred<void>()
    const before = cache.getOrRefill('key', () => {
      loading.resolve()
      return slow.promise
    })
    await loading.promise
    await cache.set('key', 'set')
    slow.resolve('old')
    expect(await before).toBe('old')
    await settled(cache)
    expect(await cache.get('key')).toBe('set')
  })

  test('doNotStore: waiters get the result, nobody keeps it', async () => {
    const cache = cacheWith()
    const loads = counter((n) => n)
    const loader = (context: { doNotStore(): void }): Promise<number> | number => {
      context.doNotStore()
      return loads.loader()
    }
    expect(await Promise.all([cache.getOrRefill('key', loader), cache.getOrRefill('key', loader)])).toEqual([1, 1])
    await settled(cache)
    expect(await cache.getOrRefill('key', loader)).toBe(2)
  })

  test('doNotShare: every caller gets the result of its own loader, none waits for another', async () => {
    const cache = cacheWith()
    const slow = deferred<void>()
    let runs = 0
    const callAs = (name: string): Promise<string> =>
      cache.getOrRefill('key', async ({ doNotShare }) => {
        runs++
        doNotShare()
        if (name === 'leader') await slow.promise
        return name
      })
    const leader = callAs('leader')
    const waiters = ['a', 'b', 'c'].map(callAs)
    expect(await Promise.all(waiters)).toEqual(['a', 'b', 'c'])
    expect(await callAs('later')).toBe('later')
    slow.resolve()
    expect(await leader).toBe('leader')
    expect(runs).toBe(5)
  })

  test('cacheFor decides the lifetime after loading', async () => {
    const cache = cacheWith({ ttl: 20 })
    const loads = counter((n) => n)
    const loader = (context: { cacheFor(lifetime: { ttl: number }): void }): unknown => {
      context.cacheFor({ ttl: 60_000 })
      return loads.loader()
    }
    await cache.getOrRefill('key', loader)
    await settled(cache)
    await expired(20)
    expect(await cache.getOrRefill('key', loader)).toBe(1)
  })

  test('a loader that asks for its own key, directly or by way of another, gets an error and not a deadlock', async () => {
    const cache = cacheWith()
    const direct = cache.getOrRefill('a', () => cache.getOrRefill('a', () => 1))
    await expect(direct).rejects.toBeInstanceOf(ReentrantRefillError)
    await settled(cache)
    const circle = cache.getOrRefill('a', () => cache.getOrRefill('b', () => cache.getOrRefill('a', () => 1)))
    await expect(circle).rejects.toBeInstanceOf(ReentrantRefillError)
  })

  test('what a caller does to a value does not reach the next caller', async () => {
    const cache = cacheWith()
    const first = await cache.getOrRefill('plain', () => ({ list: [1] }))
    expect(() => first.list.push(2)).toThrow(TypeError)
    const map = await cache.getOrRefill('map', () => new Map([['a', 1]]))
    await settled(cache)
    map.set('b', 2)
    const next = await cache.getOrRefill<Map<string, number>>('map', () => new Map())
    expect(next).toEqual(new Map([['a', 1]]))
    next.set('c', 3)
    expect(await cache.getOrRefill('map', () => new Map())).toEqual(new Map([['a', 1]]))
  })

  test('a value that cannot be encoded is delivered, reported and not stored', async () => {
    const cache = cacheWith()
    const errors: unknown[] = []
    cache.on('error', ({ error }) => errors.push(error))
    const loads = counter(() => ({ run() {} }))
    expect(await cache.getOrRefill('key', loads.loader)).toEqual({ run: expect.any(Function) as unknown })
    await settled(cache)
    await cache.getOrRefill('key', loads.loader)
    expect(loads.runs).toBe(2)
    expect(errors[0]).toMatchObject({ code: 'SERIALIZATION' })
  })

  test.each([
    ['key', undefined],
    ['key', null],
    ['key', 7],
    ['key', {}],
    ['key', Symbol('key')],
    ['key', ''],
    ['key', '\ud800'],
  ])('rejects a bad %s (%o) by name, without loading', async (_option, key) => {
    const cache = cacheWith()
    const loads = counter(() => 1)
    await expect(cache.getOrRefill(key as string, loads.loader)).rejects.toThrow(/^key must be/)
    expect(loads.runs).toBe(0)
  })

  test.each(['\n', '\0', '{}', '}{', '{a}b', 'a}b{', '__proto__', 'key:lease', '%7B', 'ü🦜', 'x'.repeat(1 << 20)])(
    'keeps an odd key to itself (%#)',
    async (key) => {
      const cache = cacheWith()
      for (const other of [key, `${key}x`, `x${key}`]) {
        expect(await cache.getOrRefill(other, () => ({ key: other }))).toEqual({ key: other })
        await settled(cache)
        expect(await cache.get(other)).toEqual({ key: other })
      }
    },
  )

  test('after close, pending calls have settled and later ones reject', async () => {
    const cache = cacheWith()
    const pending = cache.getOrRefill('key', () => new Promise<string>(() => {}))
    const outcome = expect(pending).rejects.toBeInstanceOf(ClosedError)
    await cache.close()
    await outcome
    await expect(cache.getOrRefill('key', () => 1)).rejects.toBeInstanceOf(ClosedError)
    await expect(cache.set('key', 1)).rejects.toBeInstanceOf(ClosedError)
  })

  test('methods work detached', async () => {
    const { getOrRefill, peek, wrap } = cacheWith()
    expect(await getOrRefill('key', () => 1)).toBe(1)
    const square = wrap((n: number) => n * n, { key: (n) => `square:${n}` })
    expect(await square(3)).toBe(9)
    expect(peek('nothing')).toBeUndefined()
  })
})

/** A loader that counts its runs. */
function counter<V>(value: (n: number) => V): { loader: () => V; readonly runs: number } {
  let runs = 0
  return {
    loader: () => value(++runs),
    get runs() {
      return runs
    },
  }
}

/** Resolves when nothing is under way in the cache: what was loaded is stored. */
async function settled(cache: Cache): Promise<void> {
  while (cache.stats().flights > 0) await new Promise((resolve) => setImmediate(resolve))
}

/** Lets `ms` of an entry's ttl pass, on the clocks of both sides: there is nothing to be awaited but time itself. */
function expired(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms + 5))
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => (resolve = settle))
  return { promise, resolve }
}
