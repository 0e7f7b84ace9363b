import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startCacheProcesses, type CacheProcess } from '../support/cache-process.ts'
import { eventually } from '../support/eventually.ts'
import { connectedClients } from '../support/leaks.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { stopWorkers } from '../support/workers.ts'

const LOCK_TTL = 800
/** What is promised beyond the lease's remaining time, and what a busy machine may add. */
const AFTER_LEASE = 100
const SLACK = 250

// Processes take a while to start: they are shared by the tests, each of which has keys of its own.
let redis: RedisServer
const prefix = 'crash'
const options = { lockTtl: LOCK_TTL }
const pool: CacheProcess[] = []
beforeAll(async () => {
  redis = await startRedis()
  pool.push(...(await startCacheProcesses({ redis, prefix }, 3, { options })))
}, 60_000)
afterAll(async () => {
  await stopWorkers(pool)
  await eventually('all connections are closed', async () => (await connectedClients(redis)).length === 0)
  await redis.stop()
})

/** That many processes, of which a test may kill or close those that it takes `away`. */
async function take(count: number, away = 0): Promise<[CacheProcess, CacheProcess, CacheProcess]> {
  const missing = count - pool.length
  if (missing > 0) pool.push(...(await startCacheProcesses({ redis, prefix }, missing, { options })))
  return [...pool.splice(0, away), ...pool.slice(0, count - away)] as [CacheProcess, CacheProcess, CacheProcess]
}

let lastKey = 0
let key = ''
beforeEach(() => {
  key = `key ${++lastKey}`
})
const runs = async (of = key): Promise<number> => Number(await redis.command('GET', `${prefix}:runs:${of}`))
const keyOf = (part: '' | ':lease' | ':waiters', of = key): string => `${prefix}:{${of}}${part}`
const exists = async (redisKey: string): Promise<boolean> => (await redis.command('EXISTS', redisKey)) === 1
const leaseEnds = (of = key): Promise<boolean> =>
  eventually('the lease has ended', async () => !(await exists(keyOf(':lease', of))))
/** Keys that the entry has left in Redis. */
const left = async (): Promise<unknown> => await redis.command('KEYS', `${keyOf('')}*`)

describe('the process that refills is killed', () => {
  test('in its loader: one successor loads, everyone has its value soon after the lease ends', async () => {
    const [leader, ...others] = await take(3, 1)
    void leader.call('getOrRefill', key, { until: 'for ever', callers: 10 }).catch(() => {})
    await leader.next(`loading ${key}`)
    const answers = others.map((other) => other.call('getOrRefill', key, { callers: 10 }))
    await eventually('the others wait', async () => (await redis.command('SCARD', keyOf(':waiters'))) === 2)
    await leader.kill()
    const remaining = Number(await redis.command('PTTL', keyOf(':lease')))
    const killedAt = performance.now()
    for (const answer of await Promise.all(answers)) expect(answer.value).toBe('value of run 2')
    expect(performance.now() - killedAt).toBeLessThan(remaining + AFTER_LEASE + SLACK)
    expect(await runs()).toBe(2)
  })

  test('after its commit: everyone has its value at once', async () => {
    const [leader, other] = await take(2, 1)
    expect((await leader.call('getOrRefill', key)).value).toBe('value of run 1')
    await leaseEnds()
    await leader.kill()
    const answer = await other.call('getOrRefill', key, { callers: 10 })
    expect(answer.value).toBe('value of run 1')
    expect(answer.took).toBeLessThan(SLACK)
    expect(await runs()).toBe(1)
  })

  test('while it serves a stale value and refills it: others go on serving that, and one of them refills', async () => {
    const [leader, other] = await take(2, 1)
    await leader.call('getOrRefill', key, { options: { ttl: 1, staleWhileRevalidate: 60_000 } })
    await leaseEnds()
    await eventually('it is stale', async () => (await other.call('get', key)).value === null)
    await leader.call('getOrRefill', key, { until: 'for ever' })
    await leader.next(`loading ${key}`) // of the first load
    await leader.next(`loading ${key}`)
    await leader.kill()
    const answer = await other.call('getOrRefill', key)
    expect(answer.value).toBe('value of run 1')
    expect(answer.took).toBeLessThan(SLACK)
    const fresh = async (): Promise<boolean> => (await other.call('getOrRefill', key)).value === 'value of run 3'
    await eventually('another has refilled it', fresh, { within: LOCK_TTL + 1000 })
    expect(await runs()).toBe(3)
  })
})

describe('the process that refills is frozen beyond its lease', () => {
  test.each(['', ', and Redis flushed meanwhile'])(
    'its own caller gets its value, which does not overwrite the newer one%s',
    async (flushed) => {
      const [frozen, other] = await take(2)
      const own = frozen.call('getOrRefill', key, { until: 'told', value: 'old' })
      await frozen.next(`loading ${key}`)
      frozen.pause()
      await leaseEnds()
      if (flushed) await redis.command('FLUSHALL')
      const newer = (await other.call('getOrRefill', key, { value: 'new' })).value
      frozen.go(key)
      frozen.resume()
      expect((await own).value).toBe('old of run 1')
      await frozen.next(`lease-lost ${key}`)
      expect(newer).toMatch(/^new of run/)
      await eventually('its flight is over', async () => {
        const { value } = await frozen.call('stats', '')
        return (value as { flights: number }).flights === 0
      })
      expect((await other.call('get', key)).value).toBe(newer)
      expect((await frozen.call('get', key)).value).toBe(newer)
      expect(await runs()).toBe(flushed ? 1 : 2)
    },
  )

  test('when nobody has refilled meanwhile: its value goes to its caller, and its lease is still good for storing it', async () => {
    const [frozen] = await take(1)
    const own = frozen.call('getOrRefill', key, { until: 'told' })
    await frozen.next(`loading ${key}`)
    frozen.pause()
    await leaseEnds()
    frozen.go(key)
    frozen.resume()
    expect((await own).value).toBe('value of run 1')
    await frozen.next(`lease-lost ${key}`)
    await eventually('it is stored', async () => ((await left()) as string[]).includes(`crash:{${key}}`))
    expect(await left()).toEqual([`crash:{${key}}`])
  })
})

describe('the process that refills blocks its own event loop beyond its lease', () => {
  test('its loader is told, its caller gets its value, and the lease is not revived', async () => {
    const [blocked] = await take(1)
    const own = blocked.call('getOrRefill', key, { blockFor: LOCK_TTL + 300, until: 'told' })
    await blocked.next(`loading ${key}`)
    expect(await blocked.next(`aborted ${key}`)).toMatchObject({ reason: 'LockLostError' })
    expect(await left()).toEqual([`crash:{${key}}:last`])
    blocked.go(key)
    expect((await own).value).toBe('value of run 1')
    await eventually('it is stored', async () => ((await left()) as string[]).includes(`crash:{${key}}`))
    expect(await left()).toEqual([`crash:{${key}}`])
  })
})

describe('a process ends by itself', () => {
  test('after close, with refills and waits pending: they settle, leases are given back, others need not wait', async () => {
    const [closing, other] = await take(2, 1)
    const load = closing.call('getOrRefill', key, { until: 'for ever' })
    await closing.next(`loading ${key}`)
    const waited = other.call('getOrRefill', key)
    await eventually('the other waits', async () => (await redis.command('EXISTS', keyOf(':waiters'))) === 1)
    const startedAt = performance.now()
    await closing.call('close', '')
    expect((await load).error).toMatchObject({ name: 'ClosedError' })
    expect((await waited).value).toBe('value of run 2')
    expect(performance.now() - startedAt).toBeLessThan(LOCK_TTL)
    expect(await closing.exited).toEqual({ code: 0, signal: null })
    expect(await runs()).toBe(2)
  })
})
