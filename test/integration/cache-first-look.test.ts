import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { ClosedError } from '../../src/errors.ts'
import { collectGarbage } from '../support/collect-garbage.ts'
import { cacheLab, settled, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'

/** Where hits are the rule, a plain read of Redis goes before a claim. */
const lab = cacheLab()
let proxy: TcpProxy
beforeEach(async () => {
  proxy = await startProxy(lab.redis)
})
afterEach(() => proxy.close())

/** A cache behind the proxy, for which hits are the rule: it has begun to read plainly. */
async function usedToHits(memory: false | { maxEntries: number }): Promise<Cache> {
  const cache = lab.cache({ memory, commandTimeout: 60_000 }, `redis://127.0.0.1:${proxy.port}`)
  const other = lab.cache()
  await warmUp(lab.redis, cache, other)
  for (let n = 0; n < 100; n++) {
    await other.set(`hot ${n}`, n)
    expect(await cache.getOrRefill(`hot ${n}`, () => -1)).toBe(n)
  }
  await other.set('key', 'old')
  await other.close()
  await settled(cache)
  return cache
}

/** Has `read` ask for 'key', and holds back the reply, while messages of other processes go on arriving. */
async function heldBack(read: () => void): Promise<{ resume(): void }> {
  const subscribes = /^subscribe$/i
  const main = proxy.connections().find(({ commands }) => !commands.some(([name]) => subscribes.test(name ?? '')))
  await lab.redis.command('CONFIG', 'RESETSTAT')
  proxy.delay(100)
  read()
  await eventually('Redis has read it, and its reply is under way', async () => (await reads()) > 0, { every: 1 })
  main?.pause()
  proxy.delay(0)
  return { resume: () => main?.resume() }
}

/** Plain reads that Redis has answered since its counts were reset. */
async function reads(): Promise<number> {
  const statistics = String(await lab.redis.command('INFO', 'commandstats'))
  return [...statistics.matchAll(/^cmdstat_m?get:calls=(\d+)/gm)].length
}

const readsOf = (key: string): number =>
  proxy.commands().filter((words) => /^m?get$/i.test(words[0] ?? '') && words.some((word) => word.endsWith(`{${key}}`)))
    .length

test('callers of one key share one read, also those who come while it is under way', async () => {
  const cache = await usedToHits(false)
  const calls: Promise<string>[] = []
  const call = (): void => void calls.push(cache.getOrRefill('key', () => 'own'))
  const reply = await heldBack(() => (call(), call()))
  call()
  reply.resume()
  expect(await Promise.all(calls)).toEqual(['old', 'old', 'old'])
  expect(readsOf('key')).toBe(1)
  expect(cache.stats().flights).toBe(0)
})

test('who finds nothing loads, once for all who have come meanwhile', async () => {
  const cache = await usedToHits(false)
  let loads = 0
  const load = (): string => `load ${++loads}`
  expect(await Promise.all([1, 2, 3].map(() => cache.getOrRefill('unknown', load)))).toEqual(Array(3).fill('load 1'))
  expect(readsOf('unknown')).toBe(1)
  await settled(cache)
})

test('what was read before an invalidation elsewhere is not kept', async () => {
  const cache = await usedToHits({ maxEntries: 100 })
  const other = lab.cache()
  await warmUp(lab.redis, other)
  let first: Promise<string> | undefined
  const reply = await heldBack(() => void (first = cache.getOrRefill('key', () => 'own')))
  await other.set('key', 'new')
  await other.invalidate('hot 1')
  await eventually('the process has heard of both', () => cache.peek('hot 1') === undefined)
  reply.resume()
  expect(['old', 'new']).toContain(await first)
  expect(await cache.getOrRefill('key', () => 'own')).toBe('new')
})

test('close rejects at once whoever waits for a read', async () => {
  const cache = await usedToHits(false)
  let outcomes: Promise<unknown> | undefined
  const read = (): void => {
    outcomes = Promise.allSettled(['key', 'key', 'other'].map((key) => cache.getOrRefill(key, () => 'own')))
  }
  const reply = await heldBack(read)
  await cache.close()
  const refused = { status: 'rejected', reason: expect.any(ClosedError) as unknown }
  expect(await outcomes).toEqual([refused, refused, refused])
  reply.resume()
})

test('a read that Redis refuses costs nobody an answer', async () => {
  const cache = await usedToHits(false)
  const [stored] = (await lab.keys()).filter((key) => key.endsWith('{key}')) as [string]
  await lab.redis.command('DEL', stored)
  await lab.redis.command('RPUSH', stored, 'no value')
  expect(await cache.getOrRefill('key', () => 'own')).toBe('own')
  expect(readsOf('key')).toBe(1)
  expect(lab.errors[0]?.message).toMatch(/WRONGTYPE/)
  await settled(cache)
})

test('nothing of a caller who has been answered is kept', async () => {
  const cache = await usedToHits(false)
  const ask = async (): Promise<WeakRef<object>> => {
    const request = { body: 'large' }
    expect(await cache.getOrRefill<unknown>('key', () => request)).toBe('old')
    return new WeakRef(request)
  }
  const request = await ask()
  for (let turn = 0; turn < 100 && request.deref() !== undefined; turn++) {
    await nextTurn()
    collectGarbage()
  }
  expect(request.deref()).toBeUndefined()
})
