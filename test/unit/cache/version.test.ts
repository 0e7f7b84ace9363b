import { beforeEach, describe, expect, it } from 'vitest'
import type { Cache } from '../../../src/cache/cache.ts'
import { createCacheOn } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'
import { countLoads } from '../../support/loads.ts'

let clock: FakeClock
beforeEach(() => {
  clock = new FakeClock()
})

const cacheWith = (options: Partial<CacheOptions> = {}): Cache =>
  createCacheOn({ ttl: 1000, ...options }, clock, new FakeRandom())

describe('a cache with a version', () => {
  it('answers fresh hits like any other: a key is looked up in its version', async () => {
    const cache = cacheWith({ version: 'v2' })
    const loads = countLoads(() => 'value')
    for (let n = 0; n < 3; n++) expect(await cache.getOrRefill('key', loads.loader)).toBe('value')
    expect(cache.peek('key')).toBe('value')
    expect(loads.runs).toBe(1)
    expect(cache.stats()).toMatchObject({ hits: 2, misses: 1 })
  })

  it('shares one load among callers of one version, however they name it, and among no others', async () => {
    const cache = cacheWith({ version: 2 })
    const gate = deferred<void>()
    const loads = countLoads(() => gate.promise)
    const calls = [undefined, {}, { version: 2 }, { version: '2' }].map((options) => {
      return cache.getOrRefill('key', loads.loader, options)
    })
    const other = cache.getOrRefill('key', loads.loader, { version: 3 })
    expect(loads.runs).toBe(2)
    gate.resolve()
    await Promise.all([...calls, other])
  })

  it('tells loaders, listeners and errors the key as the user knows it', async () => {
    const cache = cacheWith({ version: 2 })
    const told: string[] = []
    for (const event of ['hit', 'miss', 'refilled', 'invalidated'] as const) {
      cache.on(event, ({ key }) => told.push(`${event} ${key}`))
    }
    await cache.getOrRefill('key', ({ key }) => told.push(`load ${key}`))
    await cache.getOrRefill('key', () => 0)
    await cache.invalidate('key')
    expect(told).toEqual(['miss key', 'load key', 'refilled key', 'hit key', 'invalidated key'])
    const inner = (): Promise<number> => cache.getOrRefill('key', inner)
    await expect(inner()).rejects.toThrow('"key" (version "2") → "key" (version "2")')
    const many = await cache.getOrRefillMany(['a', 'b'], (keys) => new Map(keys.map((key) => [key, key.length])))
    expect(many).toEqual(new Map([['a', 1], ['b', 1]])) // prettier-ignore
  })

  it('shows flights by key and version', async () => {
    const cache = cacheWith()
    const gate = deferred<number>()
    const calls = [
      cache.getOrRefill('key', () => gate.promise),
      cache.getOrRefill('key', () => gate.promise, { version: 2 }),
    ]
    expect(cache.flights()).toMatchObject([
      { key: 'key', version: undefined },
      { key: 'key', version: '2' },
    ])
    gate.resolve(1)
    await Promise.all(calls)
  })

  it('refuses what is no key, and what would be another key of another version', async () => {
    const cache = cacheWith({ version: 2 })
    await cache.set('7', 1)
    await cache.set('undefined', 1)
    for (const key of [7, undefined, Symbol('7'), '7\ud800\ud8002']) {
      await expect(cache.getOrRefill(key as string, () => 2)).rejects.toThrow(/^key must be/)
      await expect(cacheWith().getOrRefill(key as string, () => 2)).rejects.toThrow(/^key must be/)
    }
  })

  it('wrap: the version is part of the key', async () => {
    const cache = cacheWith()
    const old = cache.wrap(() => ({ name: 'Ada' }), { key: () => 'user' })
    const next = cache.wrap(() => ({ first: 'Ada' }), { key: () => 'user', version: 2 })
    expect([await old(), await next(), await old()]).toEqual([{ name: 'Ada' }, { first: 'Ada' }, { name: 'Ada' }])
    await cache.invalidate('user', { version: 2 })
    expect(cache.peek('user')).toEqual({ name: 'Ada' })
    expect(cache.peek('user', { version: 2 })).toBeUndefined()
  })
})
