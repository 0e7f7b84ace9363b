import { beforeEach, describe, expect, it } from 'vitest'
import type { Cache } from '../../../src/cache/cache.ts'
import { createCacheOn } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import { ClosedError } from '../../../src/errors.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'

let cache: Cache
const cacheWith = (options: Partial<CacheOptions> = {}): Cache =>
  createCacheOn({ ttl: 1000, ...options }, new FakeClock(), new FakeRandom())
beforeEach(() => {
  cache = cacheWith()
})

describe('a namespace', () => {
  it('has its own keys, and two views of one name have the same', async () => {
    const [users, again, orders] = [cache.namespace('users'), cache.namespace('users'), cache.namespace('orders')]
    await users.set('42', 'user')
    await orders.set('42', 'order')
    await cache.set('42', 'plain')
    expect([users, again, orders, cache].map((each) => each.peek('42'))).toEqual(['user', 'user', 'order', 'plain'])
    await again.invalidate(['42'])
    expect([users, again, orders, cache].map((each) => each.peek('42'))).toEqual([
      undefined,
      undefined,
      'order',
      'plain',
    ])
  })

  it('inside another is apart from it, however the names are cut', async () => {
    const places = [
      cache.namespace('a').namespace('b'),
      cache.namespace('a/b'),
      cache.namespace('a%/b'),
      cache.namespace('b').namespace('a'),
      cache.namespace('a'),
      cache,
    ]
    for (const [i, place] of places.entries()) await place.set('b/k', i)
    expect(places.map((place) => place.peek('b/k'))).toEqual([0, 1, 2, 3, 4, 5])
    expect(cache.namespace('a').namespace('b').name).toBe('herdlock/a/b')
  })

  it('shares one load among its views', async () => {
    const gate = deferred<string>()
    let loads = 0
    const load = (): Promise<string> => (loads++, gate.promise)
    const calls = [1, 2, 3].map(() => cache.namespace('n').getOrRefill('k', load))
    gate.resolve('value')
    expect([await Promise.all(calls), loads]).toEqual([['value', 'value', 'value'], 1])
  })

  it('has its own tags, those that a loader names included', async () => {
    const [a, b] = [cache.namespace('a'), cache.namespace('b')]
    const fill = async (): Promise<void> => {
      for (const each of [a, b, cache]) {
        await each.set('set', 1, { tags: ['t'] })
        await each.getOrRefill('loaded', ({ cacheFor }) => (cacheFor({ tags: ['t'] }), 1))
        await each.getOrRefill('tagged by the call', () => 1, { tags: ['t'] })
      }
    }
    const left = (): number[] => [a, b, cache].map((each) => each.stats().entries)
    await fill()
    expect(left()).toEqual([3, 3, 9])
    await a.invalidateTags('t')
    expect(left()).toEqual([0, 3, 6])
    await fill()
    await cache.invalidateTags(['t'])
    expect(left()).toEqual([3, 3, 6])
  })

  it('is cleared alone, with what is inside it, and with the whole', async () => {
    const places = (): Cache[] => [
      cache.namespace('a'),
      cache.namespace('a').namespace('inside'),
      cache.namespace('ab'),
      cache,
    ]
    const fill = () => Promise.all(places().map((each) => each.set('k', 1)))
    const seen = (): unknown[] => places().map((each) => each.peek('k'))
    await fill()
    await cache.namespace('a').namespace('inside').clear()
    expect(seen()).toEqual([1, undefined, 1, 1])
    await fill()
    await cache.namespace('a').clear()
    expect(seen()).toEqual([undefined, undefined, 1, 1])
    await fill()
    await cache.clear()
    expect(seen()).toEqual([undefined, undefined, undefined, undefined])
  })

  it('lets nobody keep or join what began before its clear, and leaves other loads alone', async () => {
    const places = [cache.namespace('a'), cache]
    const gate = deferred<void>()
    const load = (value: string) => async () => (await gate.promise, value)
    const before = places.map((each) => each.getOrRefill('k', load('before')))
    await places[0]?.clear()
    const after = places.map((each) => each.getOrRefill('k', load('after')))
    gate.resolve()
    expect(await Promise.all([...before, ...after])).toEqual(['before', 'before', 'after', 'before'])
    expect(places.map((each) => each.peek('k'))).toEqual(['after', 'before'])
  })

  it('hands loaders its own keys, and takes values by them', async () => {
    const users = cache.namespace('users')
    expect(await users.getOrRefill('1', ({ key }) => key)).toBe('1')
    const asked: string[] = []
    const found = await users.getOrRefillMany(['1', '2', '3'], (keys) => {
      asked.push(...keys)
      return new Map([['2', 'two']])
    })
    expect([asked, [...found]]).toEqual([
      ['2', '3'],
      [
        ['1', '1'],
        ['2', 'two'],
      ],
    ])
    await expect(users.getOrRefillMany(['4'], (() => [4]) as never)).rejects.toThrow('must be a Map')
    const square = users.wrap((n: number) => n * n, { key: String, tags: ['squares'] })
    expect([await square(3), users.peek('3'), cache.peek('3')]).toEqual([9, 9, undefined])
  })

  it('has versions of its values, as its cache has', async () => {
    cache = cacheWith({ version: 1 })
    const users = cache.namespace('users')
    await users.set('k', 'one')
    await users.set('k', 'two', { version: 2 })
    expect([users.peek('k'), users.peek('k', { version: 2 }), cache.peek('k')]).toEqual(['one', 'two', undefined])
    expect(await users.getOrRefill('k', ({ key }) => `${key} loaded`)).toBe('one')
    expect(await users.getOrRefill('new', ({ key }) => `${key} loaded`)).toBe('new loaded')
    expect(await users.examine('k', { version: 2 })).toMatchObject({ key: 'k', version: '2', state: 'fresh' })
    expect([...(await users.getOrRefillMany(['k', 'b'], () => new Map([['b', 'batch']])))]).toEqual([
      ['k', 'one'],
      ['b', 'batch'],
    ])
    await users.invalidate('k', { version: 2 })
    expect([users.peek('k'), users.peek('k', { version: 2 })]).toEqual(['one', undefined])
    await users.set('k', 'two', { version: 2 })
    await users.clear()
    expect(users.stats().entries).toBe(0)
  })

  it('is named in errors, with its path', async () => {
    const users = cache.namespace('shop').namespace('users')
    const circle: Promise<unknown> = users.getOrRefill('1', () => users.getOrRefill('1', () => 1))
    await expect(circle).rejects.toThrow('"shop/users/1" → "shop/users/1"')
  })

  it('refuses what the cache refuses', async () => {
    const users = cache.namespace('users')
    for (const wrong of ['', 7, '\ud800', undefined] as string[]) {
      expect(() => cache.namespace(wrong)).toThrow(/^name must be/)
      expect(() => users.namespace(wrong)).toThrow(/^name must be/)
      const load = (): number => 1
      const calls = [
        users.getOrRefill(wrong, load),
        users.getOrRefillMany([wrong], () => new Map()),
        ...[users.get(wrong), users.set(wrong, 1), users.invalidate([wrong]), users.examine(wrong)],
        ...[users.invalidateTags([wrong]), users.getOrRefill('k', load, { tags: [wrong] })],
      ]
      for (const call of calls) await expect(call).rejects.toThrow(/^(key|tag) must be/)
    }
    await expect(users.getOrRefillMany('k' as never, () => new Map())).rejects.toThrow(/^keys must be/)
    await expect(users.getOrRefillMany(['k'], 7 as never)).rejects.toThrow(/^loader must be/)
    await expect(users.getOrRefill('k', () => 1, { tags: 't' as never })).rejects.toThrow(/^tags must be/)
    await expect(users.getOrRefill('k', () => 1, { ttl: -1 })).rejects.toThrow(/^ttl must be/)
    expect(users.peek(undefined as never)).toBeUndefined()
  })

  it('counts and tells what happens in it, and the whole counts and tells it too', async () => {
    const users = cache.namespace('users')
    const told: Record<'users' | 'cache', unknown[]> = { users: [], cache: [] }
    const leave = users.on('hit', ({ key }) => told.users.push(key))
    cache.on('hit', ({ key }) => told.cache.push(key))
    for (const each of [users, cache]) {
      await each.getOrRefill('k', () => 1)
      await each.getOrRefill('k', () => 1)
      await each.getOrRefill('k', () => 1, { ttl: 5 })
    }
    expect(told).toEqual({ users: ['k', 'k'], cache: ['users/k', 'users/k', 'k', 'k'] })
    const counts = ({ hits, misses, refills, entries, flights }: ReturnType<Cache['stats']>) => [
      ...[hits, misses, refills, entries, flights],
    ]
    expect([users, cache.namespace('users'), cache].map((each) => counts(each.stats()))).toEqual([
      [2, 1, 1, 1, 0],
      [2, 1, 1, 1, 0],
      [4, 2, 2, 2, 0],
    ])
    leave()
    users.peek('k')
    await users.getOrRefill('k', () => 1)
    expect(told.users).toHaveLength(2)
  })

  it('shows what it has by its own names', async () => {
    const inside = cache.namespace('a').namespace('b')
    const gate = deferred<number>()
    await inside.set('k', 1, { tags: ['t'] })
    const loading = inside.getOrRefill('slow', () => gate.promise)
    expect(await inside.examine('k')).toMatchObject({ key: 'k', state: 'fresh', memory: { tags: ['t'] } })
    const keys = [inside, cache.namespace('a'), cache, cache.namespace('other')].map((each) =>
      each.flights().map(({ key }) => key),
    )
    expect(keys).toEqual([['slow'], ['b/slow'], ['a/b/slow'], []])
    expect([inside.stats().flights, cache.namespace('other').stats().flights]).toEqual([1, 0])
    gate.resolve(1)
    await loading
  })

  it('ends alone when it is closed', async () => {
    const [users, again] = [cache.namespace('users'), cache.namespace('users')]
    const heard: string[] = []
    users.on('refilled', ({ key }) => heard.push(`users ${key}`))
    again.on('refilled', ({ key }) => heard.push(`again ${key}`))
    const gate = deferred<number>()
    const loading = users.getOrRefill('k', () => gate.promise)
    await users.close()
    for (const call of [users.getOrRefill('k', () => 1), users.get('k'), users.clear(), users.leases()]) {
      await expect(call).rejects.toBeInstanceOf(ClosedError)
    }
    expect(() => users.namespace('x')).toThrow(ClosedError)
    gate.resolve(7)
    expect([await loading, again.peek('k'), heard]).toEqual([7, 7, ['again k']])
    await cache.close()
    await expect(again.get('k')).rejects.toBeInstanceOf(ClosedError)
  })
})
