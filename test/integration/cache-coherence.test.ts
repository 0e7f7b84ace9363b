import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { eventually } from '../support/eventually.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'

describe('what two caches with one prefix hold in memory', () => {
  let clients: Redis[]
  let a: Cache
  let b: Cache
  beforeEach(() => {
    clients = [new Redis(sharedRedis().url), new Redis(sharedRedis().url)]
    const prefix = uniquePrefix('coherence')
    const [first, second] = clients as [Redis, Redis]
    a = createCache({ ttl: 60_000, redis: first, prefix })
    b = createCache({ ttl: 60_000, redis: second, prefix })
  })
  afterEach(async () => {
    await Promise.all([a.close(), b.close()])
    for (const client of clients) client.disconnect()
  })

  /** Memory counts once the inbox listens: what is stored before is dropped when it begins to. */
  async function holdInBoth(value: string): Promise<void> {
    await a.set('key', value, { tags: ['tag'] })
    await eventually('both hold the value', async () => {
      await Promise.all([a, b].map((cache) => cache.getOrRefill('key', () => value)))
      return a.peek('key') === value && b.peek('key') === value
    })
  }

  test.each<[string, () => Promise<void>, string | undefined]>([
    ['set', () => a.set('key', 'new'), 'new'],
    ['invalidate', () => a.invalidate('key'), undefined],
    ['invalidateTags', () => a.invalidateTags('tag'), undefined],
    ['expire', () => a.expire('key'), undefined],
    ['expireTags', () => a.expireTags('tag'), undefined],
    ['clear', () => a.clear(), undefined],
  ])('follows %s in the other', async (_name, change, value) => {
    await holdInBoth('old')
    await change()
    expect(a.peek('key')).toBe(value)
    await eventually('the other has dropped it', () => b.peek('key') === undefined)
    expect(await b.getOrRefill('key', () => 'loaded')).toBe(value ?? 'loaded')
  })

  test('drops the version that the other changes, and no other', async () => {
    const versions = [undefined, 1, 2]
    await eventually('both hold all versions', async () => {
      for (const version of versions) {
        await Promise.all([a, b].map((cache) => cache.getOrRefill('key', () => 'old', { version })))
      }
      return versions.every((version) => a.peek('key', { version }) === 'old' && b.peek('key', { version }) === 'old')
    })
    await a.invalidate('key', { version: 2 })
    await eventually('the other has dropped it', () => b.peek('key', { version: 2 }) === undefined)
    expect(versions.map((version) => b.peek('key', { version }))).toEqual(['old', 'old', undefined])
    await a.expire('key', { version: 1 })
    await eventually('the other has dropped it', () => b.peek('key', { version: 1 }) === undefined)
    expect(versions.map((version) => b.peek('key', { version }))).toEqual(['old', undefined, undefined])
  })

  test('whoever listens hears of what is invalidated, here and elsewhere', async () => {
    const heard: Record<'a' | 'b', (string | undefined)[]> = { a: [], b: [] }
    a.on('invalidated', ({ key }) => heard.a.push(key))
    b.on('invalidated', ({ key }) => heard.b.push(key))
    await b.get('key') // from its first use of Redis on it listens
    await eventually('b listens', async () => {
      await a.invalidate('first')
      return heard.b.includes('first')
    })
    await a.invalidateTags('tag')
    await a.invalidate('last')
    await eventually('b has heard all', () => heard.b.includes('last'))
    for (const keys of [heard.a, heard.b]) expect(keys.slice(-3)).toEqual(['first', undefined, 'last'])
  })

  test('is kept in step also where a process does nothing but set', async () => {
    await a.set('key', 'first')
    await eventually('the inbox listens', async () => {
      await a.set('key', 'first')
      return a.peek('key') === 'first'
    })
    await b.set('key', 'second')
    await eventually('a has dropped its value', () => a.peek('key') !== 'first')
    expect(await a.get('key')).toBe('second')
  })
})
