import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { gatedLoad, settled, timed } from '../support/cache-lab.ts'
import { connectClient, LIBRARIES } from '../support/clients-by-library.ts'
import { eventually } from '../support/eventually.ts'
import { countLoads } from '../support/loads.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { uniquePrefix } from '../support/shared-redis.ts'

const DEADLINE = 300
const SLACK = 350

let server: RedisServer
beforeAll(async () => void (server = await startRedis()))
afterAll(() => server.stop())

/** The other files of faults have ioredis. */
describe.each(LIBRARIES.filter((library) => library !== 'ioredis'))('through %s', (library) => {
  /** Two caches that share a prefix, as in two processes, whose messages arrive. */
  async function twoCaches(): Promise<{ one: Cache; other: Cache; prefix: string; keys: () => Promise<string[]> }> {
    const prefix = uniquePrefix('faults')
    const [one, other] = [await newCache(), await newCache()]
    for (const cache of [one, other]) {
      await cache.getOrRefill('warm-up', () => 0)
      await eventually('messages arrive', () => cache.stats().redis[0]?.messages === 'connected')
    }
    await Promise.all([one, other].map(settled))
    return { one, other, prefix, keys: async () => (await server.command('KEYS', `${prefix}*`)) as string[] }

    async function newCache(): Promise<Cache> {
      const client = await connectClient(library, server)
      const cache = createCache({ ttl: 60_000, prefix, redis: client, commandTimeout: DEADLINE })
      onTestFinished(async () => {
        server.resume()
        await cache.close()
        const { destroy, disconnect = destroy, close } = client as unknown as Partial<Record<string, () => unknown>>
        await (destroy ?? disconnect ?? close)?.call(client)
      })
      return cache
    }
  }

  async function expectSharing({ one, other }: { one: Cache; other: Cache }): Promise<void> {
    await eventually('they share', async () => {
      const key = `shared ${performance.now()}`
      await one.set(key, 1)
      return (await other.get(key)) === 1
    })
  }

  test('a Redis that is frozen: values within two deadlines, then at once; later sharing, and no ghost', async () => {
    const caches = await twoCaches()
    const { one, keys } = caches
    const loads = countLoads((run) => run)
    server.pause()
    for (let i = 0; i < 3; i++) {
      expect((await timed(() => one.getOrRefill(`key ${i}`, loads.loader))).took).toBeLessThan(2 * DEADLINE + SLACK)
    }
    const spared = await timed(async () => {
      for (let i = 3; i < 100; i++) await one.getOrRefill(`key ${i}`, loads.loader)
    })
    expect(spared.took).toBeLessThan(DEADLINE + SLACK)
    expect(loads.runs).toBe(100)
    server.resume()
    await eventually('no lease is left behind', async () => !(await keys()).some((key) => key.endsWith(':lease')))
    await expectSharing(caches)
  })

  test('frozen while another process waits for a refill: it is answered by the leader when it thaws', async () => {
    const { one, other, keys } = await twoCaches()
    const load = gatedLoad<string>()
    const led = one.getOrRefill('key', load.loader)
    await load.started
    const waited = other.getOrRefill('key', () => 'own')
    await eventually('it waits', async () => (await keys()).some((key) => key.endsWith(':waiters')))
    server.pause()
    load.gate.resolve('led')
    expect(await led).toBe('led')
    server.resume()
    expect(await waited).toBe('led')
  })

  test('that goes away during a load: the value to every caller; an error to who sets; sharing when it is back', async () => {
    const caches = await twoCaches()
    const { one, other } = caches
    const load = gatedLoad<string>()
    const calls = [one.getOrRefill('key', load.loader), one.getOrRefill('key', load.loader)]
    await load.started
    const waited = other.getOrRefill('key', () => 'own')
    await server.kill()
    load.gate.resolve('value')
    expect(await Promise.all(calls)).toEqual(['value', 'value'])
    expect(load.runs).toBe(1)
    expect(['value', 'own']).toContain(await waited)
    const set = await timed(() => one.set('key', 'set').catch(() => 'failed'))
    expect(set.value).toBe('failed')
    expect(set.took).toBeLessThan(DEADLINE + SLACK)
    await server.restart()
    await expectSharing(caches)
    await expectSharing({ one: other, other: one })
  })

  test('that loses everything during a load: an older value never replaces a newer', async () => {
    const { one, other } = await twoCaches()
    const load = gatedLoad<string>()
    const led = one.getOrRefill('key', load.loader)
    await load.started
    await server.command('FLUSHALL')
    await server.command('SCRIPT', 'FLUSH')
    expect(await other.getOrRefill('key', () => 'newer')).toBe('newer')
    await settled(other)
    load.gate.resolve('older')
    expect(await led).toBe('older')
    await settled(one)
    expect(await one.get('key')).toBe('newer')
  })
})
