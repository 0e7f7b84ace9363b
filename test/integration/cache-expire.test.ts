import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { readable } from '../../src/redis/entry-keys.ts'
import { spread } from '../../src/redis/spread.ts'
import { cacheLab, gatedLoad, settled, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'

const lab = cacheLab()
const WINDOW = { staleWhileRevalidate: 60_000 }
/** ms that the test itself may take. */
const LATE = 2000

async function twoProcesses(): Promise<[Cache, Cache]> {
  const caches: [Cache, Cache] = [lab.cache(WINDOW), lab.cache(WINDOW)]
  await warmUp(lab.redis, ...caches)
  return caches
}

describe('an expiry, in other processes', () => {
  test.each<[string, (cache: Cache) => Promise<void>]>([
    ['expire', (cache) => cache.expire('key')],
    ['expireTags', (cache) => cache.expireTags('t')],
  ])('%s: all serve what they have in memory, and one of all loads', async (_name, expire) => {
    const [a, b] = await twoProcesses()
    for (const cache of [a, b]) expect(await cache.getOrRefill('key', () => 'old', { tags: ['t'] })).toBe('old')
    await Promise.all([a, b].map(settled))
    await expire(a)
    await eventually('the other has heard of it', () => b.peek('key') === undefined)
    expect((await b.examine('key')).memory).toMatchObject({ state: 'stale', ttl: 0 })
    const load = gatedLoad<string>()
    for (const cache of [b, a, b]) expect(await cache.getOrRefill('key', load.loader, { tags: ['t'] })).toBe('old')
    await load.started
    load.gate.resolve('new')
    await Promise.all([a, b].map(settled))
    expect(load.runs).toBe(1)
    for (const cache of [a, b]) expect(await cache.getOrRefill('key', () => 'no')).toBe('new')
  })

  test('a load that runs in another process is not stored, and who waits for it is told to look again', async () => {
    const [a, b] = await twoProcesses()
    const load = gatedLoad<string>()
    const first = a.getOrRefill('key', load.loader)
    await load.started
    const second = b.getOrRefill('key', () => 'new')
    await eventually('the other process waits', () => b.stats().flights === 1)
    await lab.cache().expire('key')
    expect(await second).toBe('new')
    load.gate.resolve('old')
    expect(await first).toBe('old')
    await Promise.all([a, b].map(settled))
    expect(await lab.cache().get('key')).toBe('new')
  })

  test('the entry stays in Redis for its windows, and no longer', async () => {
    const cache = lab.cache({ staleWhileRevalidate: 5000, staleIfError: 9000 })
    await cache.set('key', 'old')
    await cache.expire('key')
    const left = Number(await lab.redis.command('PTTL', `${lab.prefix}:{key}`))
    expect(left).toBeGreaterThan(9000 - LATE)
    expect(left).toBeLessThanOrEqual(9000)
  })

  test('of what is no entry of ours nothing is kept', async () => {
    await lab.redis.command('SET', `${lab.prefix}:{key}`, 'foreign')
    await lab.redis.command('RPUSH', `${lab.prefix}:{list}`, 'foreign')
    await lab.cache().expire(['key', 'list', 'nothing'])
    expect(await lab.keys()).toEqual([`${lab.prefix}:changes`]) // how many were told
  })
})

describe('expireTags with over', () => {
  const KEYS = ['plain', 'ü🦜', '{a}b%', 'x'.repeat(300), ...Array.from({ length: 40 }, (_, i) => `key ${i}`)]
  const OVER = 3_000_000

  test('Redis, this process and another give each key the same moment', async () => {
    const [a, b] = await twoProcesses()
    const options = { ttl: 36_000_000, tags: ['t'] }
    for (const key of KEYS) for (const cache of [a, b]) await cache.getOrRefill(key, () => 1, options)
    await Promise.all([a, b].map(settled))
    await a.expireTags('t', { over: OVER })
    const last = KEYS.at(-1) as string
    const leftIn = async (cache: Cache, key: string): Promise<number> => (await cache.examine(key)).memory?.ttl ?? 0
    await eventually('the other has heard of it', async () => (await leftIn(b, last)) < OVER)
    const late = lab.cache(WINDOW) // has it from a claim, and so from the script
    for (const key of KEYS) {
      expect(await late.getOrRefill(key, () => 2)).toBe(1)
      for (const cache of [a, b, late]) {
        const left = await leftIn(cache, key)
        expect(left).toBeLessThanOrEqual(spread(readable(key), OVER))
        expect(left).toBeGreaterThan(spread(readable(key), OVER) - LATE)
      }
    }
  })

  test('of many expiries none brings back what an earlier one has ended', async () => {
    const cache = lab.cache({ memory: false, ttl: 36_000_000, ...WINDOW })
    for (const key of KEYS) await cache.set(key, 1, { tags: ['t'] })
    const fresh = async (): Promise<number> => {
      const found = await Promise.all(KEYS.map((key) => cache.get(key)))
      return found.filter((value) => value !== undefined).length
    }
    const first = Math.max(...KEYS.map((key) => spread(readable(key), 1000)))
    await cache.expireTags('t', { over: 1000 })
    for (let i = 0; i < 20; i++) await cache.expireTags('t', { over: OVER })
    await eventually('what the first has ended stays so', async () => (await fresh()) === 0, { within: first + 5000 })
    let loads = 0
    for (const key of KEYS) await cache.getOrRefill(key, () => ++loads) // which asks the script
    await settled(cache)
    expect(loads).toBe(KEYS.length)
    await cache.set('new', 1, { tags: ['t'] })
    expect(await cache.get('new')).toBe(1)
    const record = String(await lab.redis.command('GET', `${lab.prefix}:tag:{t}`))
    expect(record.split(' ').length).toBe(1 + 2 * 8)
  })

  test('an evicted tag counts as invalidated, and an expiry brings nothing back', async () => {
    const cache = lab.cache({ memory: false, ...WINDOW })
    await cache.set('key', 'old', { tags: ['t'] })
    await lab.redis.command('DEL', `${lab.prefix}:tag:{t}`)
    await cache.expireTags('t')
    expect(await cache.getOrRefill('key', () => 'new')).toBe('new')
  })
})
