import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Redis } from 'ioredis'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { gatedLoad, settled } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { uniquePrefix } from '../support/shared-redis.ts'

/*
 * A fleet moves from one Redis to another in two steps: [old] → [old, next] → [next]. While each step rolls out, processes
 * of two kinds run side by side. Whatever one of them changes, none of the others may serve any more.
 */
describe('the move from one Redis to another', () => {
  let servers: { old: RedisServer; next: RedisServer }
  let prefix: string
  const open: { cache: Cache; clients: Redis[] }[] = []
  beforeAll(async () => {
    const [old, next] = await Promise.all([startRedis(), startRedis()])
    servers = { old, next }
  })
  afterAll(() => Promise.all([servers.old.stop(), servers.next.stop()]))
  beforeEach(() => {
    prefix = uniquePrefix('move')
    return async () => {
      for (const { cache, clients } of open.splice(0)) {
        await cache.close()
        for (const client of clients) client.disconnect()
      }
    }
  })

  type Name = 'old' | 'next'
  function process(names: readonly Name[], memory?: false): Cache {
    const clients = names.map((name) => new Redis(servers[name].url))
    const cache = createCache({ ttl: 60_000, prefix, redis: clients, ...(memory === undefined ? {} : { memory }) })
    open.push({ cache, clients })
    return cache
  }
  const listening = (cache: Cache): Promise<unknown> =>
    eventually('all its inboxes are open', async () => {
      await cache.getOrRefill('warm-up', () => 1)
      return cache.stats().redis.every(({ messages }) => messages === 'connected')
    })
  const BEFORE: Name[] = ['old']
  const BOTH: Name[] = ['old', 'next']
  const AFTER: Name[] = ['next']

  const changes: [string, (cache: Cache) => Promise<unknown>, string][] = [
    ['invalidate', (cache) => cache.invalidate('key'), 'loaded'],
    ['invalidateTags', (cache) => cache.invalidateTags('tag'), 'loaded'],
    ['expire', (cache) => cache.expire('key'), 'loaded'],
    ['expireTags', (cache) => cache.expireTags('tag'), 'loaded'],
    ['clear', (cache) => cache.clear(), 'loaded'],
    ['set', (cache) => cache.set('key', 'set'), 'set'],
  ]
  const pairs: [string, Name[], Name[]][] = [
    ['[old] to [old, next]', BEFORE, BOTH],
    ['[old, next] to [old]', BOTH, BEFORE],
    ['[old, next] to [next]', BOTH, AFTER],
    ['[next] to [old, next]', AFTER, BOTH],
    ['[old, next] to another [old, next]', BOTH, BOTH],
  ]

  describe.each(pairs)('%s', (_pair, from, to) => {
    test.each(changes)('%s is followed, without memory at once', async (_change, change, value) => {
      const [changer, reader] = [process(from, false), process(to, false)]
      for (const cache of [reader, changer, process(BOTH, false)]) {
        await cache.set('key', 'old value', { tags: ['tag'] })
        expect(await cache.get('key')).toBe('old value')
      }
      await change(changer)
      const got = await reader.getOrRefill('key', () => 'loaded')
      // What differs between the two is loaded anew: which of them is newer, nobody can tell.
      expect([value, 'loaded']).toContain(got)
      expect(got).not.toBe('old value')
    })

    test.each(changes)('%s is followed, with memory when the message has come', async (_change, change) => {
      const [changer, reader] = [process(from), process(to)]
      await Promise.all([changer, reader].map(listening))
      await process(BOTH, false).set('key', 'old value', { tags: ['tag'] })
      await reader.getOrRefill('key', () => 'old value')
      await change(changer)
      await eventually('the reader has dropped it', () => reader.peek('key') !== 'old value')
      expect(await reader.getOrRefill('key', () => 'loaded')).not.toBe('old value')
    })
  })

  test('a process that knows only the next one finds nothing there that was changed in the old one before it began', async () => {
    const [before, both] = [process(BEFORE), process(BOTH)]
    await Promise.all([before, both].map(listening))
    for (const [name, change] of changes) {
      await both.set('key', 'old value', { tags: ['tag'] })
      await change(before)
      const next = process(AFTER, false)
      await eventually(`${name} has been passed on`, async () => (await next.get('key')) === undefined)
    }
  })

  test('a load of which one instance has lost the lease leaves nothing in the other', async () => {
    const [before, both, after] = [process(BEFORE, false), process(BOTH, false), process(AFTER, false)]
    await listening(both)
    const load = gatedLoad<string>()
    const call = both.getOrRefill('key', load.loader)
    await load.started
    await before.invalidate('key')
    load.gate.resolve('began before')
    expect(await call).toBe('began before')
    await settled(both)
    await eventually('nothing is left', async () => (await after.get('key')) === undefined)
    expect(await both.getOrRefill('key', () => 'loaded')).toBe('loaded')
  })

  test.each<[string, Name[], Name[]]>([
    ['[old] and [old, next]', BEFORE, BOTH],
    ['[old, next] and [next]', BOTH, AFTER],
  ])('processes of %s load a cold key once', async (_kinds, one, other) => {
    const caches = [process(one, false), process(other, false), process(one, false), process(other, false)]
    await Promise.all(caches.map(listening))
    let runs = 0
    const loader = async (): Promise<number> => {
      runs++
      await new Promise((resolve) => setTimeout(resolve, 200)) // all are to ask meanwhile
      return runs
    }
    // The narrower kind first, so that what it stores is the only place.
    const values = await Promise.all(caches.map((cache) => cache.getOrRefill('cold', loader)))
    expect(new Set(values).size).toBe(runs)
    expect(runs).toBeLessThanOrEqual(2) // once more where what one kind has stored lacks in the other instance
  })

  test('the whole move, under load: nobody is ever served what was changed before he asked', async () => {
    let source = 0
    const wrong: string[] = []
    const load = (): number => source
    async function phase(caches: Cache[]): Promise<void> {
      await Promise.all(caches.map(listening))
      for (let round = 0; round < 30; round++) {
        const changer = caches[round % caches.length] as Cache
        source++
        const least = source
        await changer.invalidate('key')
        const values = await Promise.all(caches.map((cache) => cache.getOrRefill('key', load)))
        for (const [i, value] of values.entries()) if (value < least) wrong.push(`cache ${i}: ${value} < ${least}`)
      }
    }
    const [a, b] = [process(BEFORE, false), process(BEFORE, false)]
    await phase([a, b])
    const [c, d] = [process(BOTH, false), process(BOTH, false)]
    await phase([a, b, c, d])
    await phase([c, d])
    const [e, f] = [process(AFTER, false), process(AFTER, false)]
    await phase([c, d, e, f])
    await phase([e, f])
    expect(wrong).toEqual([])
  })
})
