import { beforeEach, expect, it } from 'vitest'
import type { Cache } from '../../../src/cache/cache.ts'
import { createCacheOn } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import type { LoaderContext } from '../../../src/cache/refill/loader-context.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'

let clock: FakeClock
beforeEach(() => {
  clock = new FakeClock()
})
const cacheWith = (options: Partial<CacheOptions> = {}): Cache =>
  createCacheOn({ ttl: 1000, staleIfError: 1000, ...options }, clock, new FakeRandom())
const unchanged = ({ unchanged }: LoaderContext<{ n: number }>): { n: number } => unchanged()

it('gives what is stale in memory a new life, with its tags', async () => {
  const cache = cacheWith()
  await cache.getOrRefill('key', () => ({ n: 1 }), { tags: ['t'] })
  for (let n = 0; n < 3; n++) {
    await clock.advance(1500)
    expect(cache.peek('key')).toBeUndefined()
    expect(await cache.getOrRefill('key', unchanged)).toEqual({ n: 1 })
    await clock.advance(999)
    expect(cache.peek('key')).toEqual({ n: 1 })
  }
  await cache.invalidateTags('t')
  expect(cache.peek('key')).toBeUndefined()
})

it('throws in a loader for which nothing is stale', async () => {
  const call = cacheWith().getOrRefill('key', unchanged)
  await expect(call).rejects.toThrow('unchanged() must not be called without a stale value: see context.stale')
})

it('counts only if what it gives is returned', async () => {
  const cache = cacheWith()
  await cache.getOrRefill('key', () => ({ n: 1 }))
  await clock.advance(1500)
  const other = await cache.getOrRefill(
    'key',
    (context: LoaderContext<{ n: number }>) => (context.unchanged(), { n: 2 }),
  )
  expect(other).toEqual({ n: 2 })
  expect(cache.peek('key')).toEqual({ n: 2 })
})

it('is kept from nobody else by doNotStore: the stale value is handed out and stays stale', async () => {
  const cache = cacheWith()
  await cache.getOrRefill('key', () => ({ n: 1 }))
  await clock.advance(1500)
  const load = (context: LoaderContext<{ n: number }>): { n: number } => (context.doNotStore(), context.unchanged())
  expect(await cache.getOrRefill('key', load)).toEqual({ n: 1 })
  expect(cache.peek('key')).toBeUndefined()
})

it('knows the size of what memory bounds by bytes', async () => {
  const cache = cacheWith({ memory: { maxBytes: 1000 } })
  await cache.getOrRefill('key', () => ({ n: 1 }))
  const { bytes } = cache.stats()
  await clock.advance(1500)
  await cache.getOrRefill('key', unchanged)
  expect(cache.stats().bytes).toBe(bytes)
})
