import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import { cacheLab, gatedLoad, settled, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { startProxy } from '../support/tcp-proxy.ts'

const lab = cacheLab()
const FORCED = { forceFresh: true }

async function processes(options: Partial<CacheOptions> = {}): Promise<[Cache, Cache]> {
  const caches: [Cache, Cache] = [lab.cache(options), lab.cache(options)]
  await warmUp(lab.redis, ...caches)
  return caches
}

/** Both have seen `old`. */
async function filled(options: Partial<CacheOptions> = {}): Promise<[Cache, Cache]> {
  const caches = await processes(options)
  for (const cache of caches) {
    await cache.getOrRefill('key', () => 'old')
    await settled(cache)
  }
  return caches
}

test('what it loads is what every process finds, whatever they had in memory', async () => {
  const [a, b] = await filled()
  expect(await a.getOrRefill('key', () => 'new', FORCED)).toBe('new')
  await settled(a)
  await eventually('the other was told', () => b.peek('key') === undefined)
  for (const cache of [a, b]) expect(await cache.getOrRefill('key', () => 'no')).toBe('new')
})

test('others are served meanwhile, from memory and from Redis', async () => {
  const [a, b] = await filled()
  const other = lab.cache({ memory: false })
  const load = gatedLoad<string>()
  const forced = a.getOrRefill('key', load.loader, FORCED)
  await load.started
  for (const cache of [a, b, other]) expect(await cache.getOrRefill('key', () => 'no')).toBe('old')
  load.gate.resolve('new')
  expect(await forced).toBe('new')
})

test("it takes the lease of another process's load, whose waiters get what it loads", async () => {
  const lockTtl = 60_000 // whoever is not told waits for that long
  const [a, b] = await processes({ lockTtl })
  const [first, second] = [gatedLoad<string>(), gatedLoad<string>()]
  const overtaken = a.getOrRefill('key', first.loader)
  await first.started
  const other = lab.cache({ lockTtl })
  await warmUp(lab.redis, other)
  const waiting = other.getOrRefill('key', () => 'no')
  await eventually('it waits', () => other.stats().flights === 1)
  const forced = b.getOrRefill('key', second.loader, FORCED)
  await second.started
  second.gate.resolve('new')
  expect([await forced, await waiting]).toEqual(['new', 'new'])
  first.gate.resolve('old')
  expect(await overtaken).toBe('old')
  await Promise.all([a, b, other].map(settled))
  for (const cache of [a, b, other]) expect(await cache.getOrRefill('key', () => 'no')).toBe('new')
})

test('those who wait for it are told of its failure; the load that it has overtaken goes on for its own callers', async () => {
  const [a, b] = await processes()
  const other = lab.cache()
  await warmUp(lab.redis, other)
  const [first, second] = [gatedLoad<string>(), gatedLoad<string>()]
  const overtaken = a.getOrRefill('key', first.loader)
  await first.started
  const forced = b.getOrRefill('key', second.loader, FORCED)
  await second.started
  const waiting = other.getOrRefill('key', () => 'no')
  await eventually('it waits', () => other.stats().flights === 1)
  second.gate.reject(new Error('down'))
  await expect(forced).rejects.toThrow('down')
  await expect(waiting).rejects.toMatchObject({ code: 'REFILL_FAILED' })
  first.gate.resolve('old')
  expect(await overtaken).toBe('old')
  await settled(a)
  expect(await other.getOrRefill('key', () => 'loaded')).toBe('loaded')
})

test('what only Redis has is no answer, stays when the load fails, and is what its loader sees', async () => {
  const [a, b] = await processes({ failureTtl: 60_000 })
  await a.getOrRefill('key', () => 'old')
  await settled(a)
  await expect(b.getOrRefill('key', () => Promise.reject(new Error('down')), FORCED)).rejects.toThrow('down')
  await settled(b)
  const seen: unknown[] = []
  const value = await b.getOrRefill<string>('key', (context) => (seen.push(context.stale), context.unchanged()), FORCED)
  expect([value, ...seen]).toEqual(['old', 'old'])
  await settled(b)
  for (const cache of [a, b]) expect(await cache.getOrRefill('key', () => 'no')).toBe('old')
})

test('a failure leaves those be who find the value in Redis', async () => {
  const [a, b] = await processes({ failureTtl: 60_000 })
  await a.getOrRefill('key', () => 'old')
  await settled(a)
  await expect(b.getOrRefill('key', () => Promise.reject(new Error('down')), FORCED)).rejects.toThrow('down')
  await settled(b)
  expect(await b.getOrRefill('key', () => 'no')).toBe('old')
})

test.each<[string, (cache: Cache) => Promise<void>]>([
  ['set', (cache) => cache.set('key', 'set')],
  ['expire', (cache) => cache.expire('key')],
])('a %s before it, whose answer comes later than the claim leaves, does not undo it', async (_name, change) => {
  const proxy = await startProxy({ host: '127.0.0.1', port: lab.redis.port })
  lab.atEnd(() => proxy.close())
  const a = lab.cache({ staleWhileRevalidate: 60_000 }, `redis://${proxy.host}:${proxy.port}`)
  await a.getOrRefill('key', () => 'old')
  await settled(a)
  proxy.delay(20)
  const changed = change(a)
  await nextTurn() // it is on its way
  expect(await a.getOrRefill('key', () => 'new', FORCED)).toBe('new')
  await changed
  await settled(a)
  expect(await a.getOrRefill('key', () => 'no')).toBe('new')
})

test('an expire before it, whose answer comes before its load has ended, leaves nothing older to be served', async () => {
  const a = lab.cache({ staleWhileRevalidate: 60_000 })
  await warmUp(lab.redis, a)
  await a.getOrRefill('key', () => 'old')
  await settled(a)
  const expired = a.expire('key')
  const load = gatedLoad<string>()
  const forced = a.getOrRefill('key', load.loader, FORCED) // its claim comes after that in Redis
  await expired
  await load.started
  load.gate.resolve('new')
  expect(await forced).toBe('new')
  await settled(a)
  expect(await a.getOrRefill('key', () => 'no')).toBe('new')
})

test('two forced calls at once, each in a process of its own, both load; the later lease counts', async () => {
  const [a, b] = await filled()
  const [first, second] = [gatedLoad<string>(), gatedLoad<string>()]
  const one = a.getOrRefill('key', first.loader, FORCED)
  await first.started
  const two = b.getOrRefill('key', second.loader, FORCED)
  await second.started
  second.gate.resolve('newest')
  expect(await two).toBe('newest')
  await settled(b)
  first.gate.resolve('newer')
  expect(await one).toBe('newer')
  await settled(a)
  for (const cache of [a, b]) expect(await cache.getOrRefill('key', () => 'no')).toBe('newest')
})

test('whoever is closed in a forced load leaves what was stored', async () => {
  const [a, b] = await filled({ lockTtl: 300, memory: false })
  const load = gatedLoad<string>()
  const forced = a.getOrRefill('key', load.loader, FORCED)
  await load.started
  const refused = expect(forced).rejects.toMatchObject({ code: 'CLOSED' })
  await a.close()
  await refused
  expect(await b.getOrRefill('key', () => 'no')).toBe('old')
  expect(await b.getOrRefill('key', () => 'new', FORCED)).toBe('new')
})

test('a forced call in line whose lease another has taken keeps its place', async () => {
  const [a, b] = await filled({ maxLoads: 1, lockTtl: 300 })
  const busy = gatedLoad<string>()
  const other = a.getOrRefill('other', busy.loader)
  await busy.started
  const one = a.getOrRefill('key', () => 'one', FORCED)
  await eventually('it is in line', () => a.stats().limit?.waiting === 1)
  const two = b.getOrRefill('key', () => 'two', FORCED)
  await eventually('so is the other', () => b.stats().limit?.waiting === 1)
  await new Promise((resolve) => setTimeout(resolve, 400)) // the lease is found lost where it is extended
  busy.gate.resolve('value')
  expect(await Promise.all([other, one, two])).toEqual(['value', 'one', 'two'])
  await Promise.all([a, b].map(settled))
  for (const cache of [a, b]) expect(await cache.getOrRefill('key', () => 'no')).toBe('two')
})

test('without Redis for a moment it loads all the same', async () => {
  const cache = lab.cache({ commandTimeout: 50 })
  await cache.getOrRefill('key', () => 'old')
  await settled(cache)
  lab.redis.pause()
  try {
    expect(await cache.getOrRefill('key', () => 'new', FORCED)).toBe('new')
    expect(await cache.getOrRefill('key', () => 'no')).toBe('new')
  } finally {
    lab.redis.resume()
  }
})
