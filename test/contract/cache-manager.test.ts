import { createCache as createTheirs, type Cache as Theirs } from 'cache-manager'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createCache } from '../../src/cache/create-cache.ts'
import { cacheManager } from '../../src/cache-manager/cache-manager.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'

/* The same tests for cache-manager itself and for ours: its type takes both. */

let redis: Redis
beforeAll(() => {
  redis = new Redis(sharedRedis().url)
})
afterAll(() => redis.disconnect())

const ours = (options: object, namespace?: string): Theirs => {
  const cache = createCache({ ttl: 60_000, prefix: uniquePrefix('manager'), ...options })
  return cacheManager(namespace === undefined ? cache : cache.namespace(namespace))
}

describe.each<[string, () => Theirs]>([
  ['cache-manager', () => createTheirs({ ttl: 60_000 })],
  ['herdlock in memory', () => ours({})],
  ['herdlock in memory and Redis', () => ours({ redis })],
  ['herdlock in Redis alone', () => ours({ redis, memory: false })],
  ['a namespace of herdlock', () => ours({ redis }, 'managed')],
])('%s', (_name, make) => {
  const open: Theirs[] = []
  afterEach(() => Promise.all(open.splice(0).map((cache) => cache.disconnect())))
  const manager = (): Theirs => {
    const cache = make()
    open.push(cache)
    return cache
  }
  const heard = (cache: Theirs, event: Parameters<Theirs['on']>[0]): unknown[] => {
    const seen: unknown[] = []
    cache.on(event, ((data: unknown) => seen.push(data)) as never)
    return seen
  }

  test.each([1, 0, '', false, null, 'text', { a: [1, { b: null }] }, [1, 2]])('keeps %o', async (value) => {
    const cache = manager()
    expect(await cache.set('key', value)).toEqual(value)
    expect(await cache.get('key')).toEqual(value)
  })

  test('finds undefined where there is nothing, or was set', async () => {
    const cache = manager()
    expect(await cache.get('nothing')).toBeUndefined()
    await cache.set('key', undefined)
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.ttl('nothing')).toBeUndefined()
  })

  test('mget answers in the order of its keys, mset with its list', async () => {
    const cache = manager()
    const list = [
      { key: 'a', value: 1 },
      { key: 'b', value: 2, ttl: 5000 },
    ]
    expect(await cache.mset(list)).toMatchObject(list)
    expect(await cache.mget(['b', 'nothing', 'a'])).toEqual([2, undefined, 1])
    expect(await cache.mget([])).toEqual([])
  })

  test('ttl is the moment at which the value expires', async () => {
    const cache = manager()
    const before = Date.now()
    await cache.set('short', 1, 5000)
    await cache.set('usual', 1)
    const [short, usual] = [await cache.ttl('short'), await cache.ttl('usual')]
    for (const [at, ttl] of [
      [short, 5000],
      [usual, 60_000],
    ] as const) {
      expect(at).toBeGreaterThan(before + ttl - 1000)
      expect(at).toBeLessThanOrEqual(Date.now() + ttl)
    }
  })

  test('a value is gone after its ttl, of set and of wrap', async () => {
    const cache = manager()
    await cache.set('set', 1, 30)
    await cache.wrap('wrapped', () => 1, 30)
    await eventually('both are gone', async () =>
      (await cache.mget(['set', 'wrapped'])).every((each) => each === undefined),
    )
    expect(await cache.ttl('set')).toBeUndefined()
    expect(await cache.wrap('wrapped', () => 2, 30)).toBe(2)
  })

  test('a ttl of 0 is no end, or a far one', async () => {
    const cache = manager()
    await cache.set('key', 1, 0)
    const end = await cache.ttl('key')
    expect(end === undefined || end > Date.now() + 300 * 24 * 3600 * 1000).toBe(true)
    expect(await cache.get('key')).toBe(1)
  })

  test('del, mdel and clear answer true, also for nothing', async () => {
    const cache = manager()
    for (const key of ['a', 'b', 'c', 'd']) await cache.set(key, key)
    expect([await cache.del('a'), await cache.del('nothing'), await cache.mdel(['b', 'c', 'nothing'])]).toEqual([
      true,
      true,
      true,
    ])
    expect(await cache.mget(['a', 'b', 'c', 'd'])).toEqual([undefined, undefined, undefined, 'd'])
    expect(await cache.clear()).toBe(true)
    expect(await cache.get('d')).toBeUndefined()
  })

  test('wrap runs once, for all who ask meanwhile and later', async () => {
    const cache = manager()
    const gate = deferred<string>()
    let runs = 0
    const load = (): Promise<string> => (runs++, gate.promise)
    const calls = Array.from({ length: 20 }, () => cache.wrap('key', load))
    gate.resolve('value')
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['value']))
    expect([await cache.wrap('key', load), await cache.get('key'), runs]).toEqual(['value', 'value', 1])
  })

  test('wrap answers with what was set, and keeps null', async () => {
    const cache = manager()
    await cache.set('set', 'before')
    expect(await cache.wrap('set', () => 'loaded')).toBe('before')
    expect(await cache.wrap('null', () => null)).toBeNull()
    expect(await cache.wrap('null', () => 'loaded' as never)).toBeNull()
  })

  test('wrap rejects with the reason of its function, and remembers nothing', async () => {
    const cache = manager()
    const reason = new Error('no')
    await expect(cache.wrap('key', () => Promise.reject(reason))).rejects.toBe(reason)
    await expect(
      cache.wrap('key', () => {
        throw reason
      }),
    ).rejects.toBe(reason)
    expect(await cache.wrap('key', () => 'value')).toBe('value')
  })

  test('wrap does not keep undefined', async () => {
    const cache = manager()
    expect(await cache.wrap<unknown>('key', () => undefined)).toBeUndefined()
    expect(await cache.wrap<unknown>('key', () => 'value')).toBe('value')
  })

  test('wrap takes its ttl from the value', async () => {
    const cache = manager()
    const ttl = (value: number): number => value * 1000
    await cache.wrap('key', () => 5, ttl)
    await cache.wrap('options', () => 5, { ttl })
    for (const key of ['key', 'options']) {
      const left = ((await cache.ttl(key)) as number) - Date.now()
      expect(left).toBeGreaterThan(3000)
      expect(left).toBeLessThanOrEqual(5000)
    }
  })

  test.each<[string, (cache: Theirs, load: () => number) => Promise<number>]>([
    ['a number', (cache, load) => cache.wrap('key', load, 5000, 5000)],
    ['a function', (cache, load) => cache.wrap('key', load, { ttl: 5000, refreshThreshold: () => 5000 })],
    ['a number, with the usual ttl', (cache, load) => cache.wrap('key', load, undefined, 60_000)],
  ])('within refreshThreshold, %s, wrap answers with the old value and loads a new one', async (_kind, ask) => {
    const cache = manager()
    const refreshed = heard(cache, 'refresh')
    let runs = 0
    const load = (): number => ++runs
    expect(await ask(cache, load)).toBe(1)
    await eventually('time has passed', async () => (await ask(cache, load)) > 1)
    expect(refreshed[0]).toEqual({ key: 'key', value: 2 })
  })

  test('a refresh that fails is told, and the old value stays', async () => {
    const cache = manager()
    const refreshed = heard(cache, 'refresh') as { error?: unknown }[]
    const reason = new Error('no')
    expect(await cache.wrap('key', () => 'old', 5000, 5000)).toBe('old')
    await eventually('a refresh has failed', async () => {
      expect(await cache.wrap('key', () => Promise.reject(reason), 5000, 5000)).toBe('old')
      return refreshed.length > 0
    })
    expect(refreshed[0]).toEqual({ key: 'key', value: 'old', error: reason })
  })

  test('wrap with raw also says when the value expires', async () => {
    const cache = manager()
    const load = (): string => 'value'
    for (const ask of [
      () => cache.wrap('plain', load, { ttl: 5000, raw: true }),
      () => cache.wrap('threshold', load, { ttl: 5000, raw: true, refreshThreshold: 2000 }),
    ]) {
      for (const raw of [await ask(), await ask()]) {
        expect(raw?.value).toBe('value')
        expect(raw?.expires).toBeGreaterThan(Date.now() + 4000)
        expect(raw?.expires).toBeLessThanOrEqual(Date.now() + 5000)
      }
    }
  })

  test('tells of what is found, stored, deleted and cleared, until off', async () => {
    const cache = manager()
    const events = ['get', 'mget', 'set', 'mset', 'del', 'clear'] as const
    const seen = Object.fromEntries(events.map((event) => [event, heard(cache, event)]))
    await cache.set('key', 1)
    await cache.get('key')
    await cache.get('nothing')
    await cache.mget(['key'])
    await cache.mset([{ key: 'many', value: 2 }])
    await cache.wrap('wrapped', () => 3)
    await cache.del('key')
    await cache.clear()
    expect(seen['get']?.map((each) => (each as { value: unknown }).value)).toEqual([1])
    expect(seen['get']?.[0]).toMatchObject({ key: 'key', value: 1 })
    expect(seen['mget']).toEqual([{ keys: ['key'], values: [1] }])
    expect(seen['set']?.[0]).toMatchObject({ key: 'key', value: 1 })
    expect(seen['set']?.at(-1)).toMatchObject({ key: 'wrapped', value: 3 })
    expect(seen['mset']?.[0]).toMatchObject({ list: [{ key: 'many', value: 2 }] })
    expect(seen['del']).toEqual([{ key: 'key' }])
    expect(seen['clear']).toHaveLength(1)
    const removed: unknown[] = []
    const listener = (data: unknown): void => void removed.push(data)
    expect(cache.on('del', listener).listenerCount('del')).toBe(2)
    cache.off('del', listener)
    await cache.del('key')
    expect(removed).toEqual([])
  })

  test('has an id, and methods that work detached', async () => {
    const { get, set, wrap, cacheId, stores } = manager()
    expect(cacheId()).toEqual(expect.any(String))
    expect(Array.isArray(stores)).toBe(true)
    await set('key', 1)
    expect([await get('key'), await wrap('key', () => 2)]).toEqual([1, 1])
  })
})
