import { expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import type { StandardSchemaV1 } from '../../src/cache/schema/standard-schema.ts'
import { cacheLab, gatedLoad, settled, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'

const lab = cacheLab()

async function processes(): Promise<[Cache, Cache]> {
  const caches: [Cache, Cache] = [lab.cache({ failureTtl: 60_000 }), lab.cache({ failureTtl: 60_000 })]
  await warmUp(lab.redis, ...caches)
  return caches
}
const refusesAll: StandardSchemaV1 = {
  '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'no' }] }) },
}
const down = (): Promise<never> => Promise.reject(new Error('down'))
const commands = async (): Promise<number> => {
  const stats = String(await lab.redis.command('INFO', 'stats'))
  return Number(/total_commands_processed:(\d+)/.exec(stats)?.[1])
}

test('every process is told of a failure in one, once by Redis and then by its own memory', async () => {
  const [a, b] = await processes()
  await expect(a.getOrRefill('key', down)).rejects.toThrow('down')
  await settled(a)
  await expect(b.getOrRefill('key', () => 'value')).rejects.toMatchObject({
    code: 'REFILL_FAILED',
    remoteName: 'Error',
  })
  await settled(b)
  const before = await commands()
  for (const cache of [a, b, a, b]) {
    await expect(cache.getOrRefill('key', () => 'value')).rejects.toMatchObject({ code: 'REFILL_FAILED' })
  }
  expect((await commands()) - before).toBe(1) // INFO itself
})

test.each<[string, (cache: Cache) => Promise<void>]>([
  ['set', (cache) => cache.set('key', 'value')],
  ['invalidate', (cache) => cache.invalidate('key')],
  ['expire', (cache) => cache.expire('key')],
  ['invalidateTags', (cache) => cache.invalidateTags('t')],
  ['expireTags', (cache) => cache.expireTags('t')],
  ['clear', (cache) => cache.clear()],
])('%s in one process ends it in all', async (_name, change) => {
  const [a, b] = await processes()
  await expect(a.getOrRefill('key', down, { tags: ['t'] })).rejects.toThrow('down')
  await settled(a)
  await expect(b.getOrRefill('key', down)).rejects.toMatchObject({ code: 'REFILL_FAILED' })
  await change(a)
  await eventually('the other has forgotten it', async () => (await b.getOrRefill('key', () => 'value')) === 'value')
})

test('a leader whose lease was taken leaves no mark', async () => {
  const [a, b] = await processes()
  const load = gatedLoad<string>()
  const call = a.getOrRefill('key', load.loader)
  await load.started
  await lab.redis.command('DEL', `${lab.prefix}:{key}:lease`, `${lab.prefix}:{key}:last`)
  expect(await b.getOrRefill('key', () => 'value')).toBe('value')
  load.gate.reject(new Error('too late'))
  await expect(call).rejects.toThrow('too late')
  await Promise.all([a, b].map(settled))
  for (const cache of [a, b]) expect(await cache.getOrRefill('key', () => 'no')).toBe('value')
})

test("a failure takes no value's place that is valid by another schema", async () => {
  const strict = lab.cache({ memory: false, failureTtl: 60_000, schema: refusesAll })
  const [cache] = await processes()
  await cache.set('key', 'value')
  await expect(strict.getOrRefill('key', down)).rejects.toThrow('down')
  await settled(strict)
  expect(await lab.cache({ memory: false }).getOrRefill('key', () => 'no')).toBe('value')
})

test('a Redis that cannot store the mark still tells those who wait', async () => {
  const [a, b] = await processes()
  const load = gatedLoad<string>()
  const first = a.getOrRefill('key', load.loader)
  await load.started
  const second = b.getOrRefill('key', () => 'value')
  await eventually('the other process waits', () => b.stats().flights === 1)
  await lab.redis.command('CONFIG', 'SET', 'maxmemory', '1')
  try {
    load.gate.reject(new Error('down'))
    await expect(first).rejects.toThrow('down')
    await expect(second).rejects.toMatchObject({ code: 'REFILL_FAILED' })
  } finally {
    await lab.redis.command('CONFIG', 'SET', 'maxmemory', '0')
  }
})

test('a mark that is damaged is a failure all the same, and no crash', async () => {
  const cache = lab.cache({ failureTtl: 60_000, memory: false })
  await expect(cache.getOrRefill('key', down)).rejects.toThrow('down')
  await settled(cache)
  const stored = String(await lab.redis.command('GET', `${lab.prefix}:{key}`))
  await lab.redis.command('SET', `${lab.prefix}:{key}`, stored.slice(0, 70), 'PX', '60000')
  await expect(cache.getOrRefill('key', () => 'value')).rejects.toMatchObject({ code: 'REFILL_FAILED' })
})
