import { describe, expect, test } from 'vitest'
import type { CacheOptions } from '../../src/cache/options.ts'
import { cacheLab } from '../support/cache-lab.ts'
import { startCacheProcesses, type CacheProcess } from '../support/cache-process.ts'
import { eventually } from '../support/eventually.ts'

const LOCK_TTL = 800
/** What is promised beyond the lease's remaining time, and what a busy machine may add. */
const AFTER_LEASE = 100
const SLACK = 250
const lab = cacheLab()

async function start(
  count: number,
  options: Partial<CacheOptions> = {},
): Promise<[CacheProcess, CacheProcess, CacheProcess]> {
  const processes = await startCacheProcesses(lab, count, { options: { lockTtl: LOCK_TTL, ...options } })
  return processes as [CacheProcess, CacheProcess, CacheProcess]
}

const runs = async (key = 'key'): Promise<number> => Number(await lab.redis.command('GET', `${lab.prefix}:runs:${key}`))
const keyOf = (part: '' | ':lease' | ':waiters', key = 'key'): string => `${lab.prefix}:{${key}}${part}`
const exists = async (redisKey: string): Promise<boolean> => (await lab.redis.command('EXISTS', redisKey)) === 1
const leaseEnds = (): Promise<boolean> =>
  eventually('the lease has ended', async () => !(await exists(keyOf(':lease'))))
/** Keys that the entry has left in Redis. */
const left = async (): Promise<unknown> => await lab.redis.command('KEYS', `${keyOf('')}*`)

describe('the process that refills is killed', () => {
  test('in its loader: one successor loads, everyone has its value soon after the lease ends', async () => {
    const [leader, ...others] = await start(3)
    void leader.call('getOrRefill', 'key', { until: 'for ever', callers: 10 }).catch(() => {})
    await leader.next('loading')
    const answers = others.map((other) => other.call('getOrRefill', 'key', { callers: 10 }))
    await eventually('the others wait', async () => (await lab.redis.command('SCARD', keyOf(':waiters'))) === 2)
    await leader.kill()
    const remaining = Number(await lab.redis.command('PTTL', keyOf(':lease')))
    const killedAt = performance.now()
    for (const answer of await Promise.all(answers)) expect(answer.value).toBe('value of run 2')
    expect(performance.now() - killedAt).toBeLessThan(remaining + AFTER_LEASE + SLACK)
    expect(await runs()).toBe(2)
  })

  test('after its commit: everyone has its value at once', async () => {
    const [leader, other] = await start(2)
    expect((await leader.call('getOrRefill', 'key')).value).toBe('value of run 1')
    await eventually('it is stored', async () => (await lab.redis.command('EXISTS', keyOf(':lease'))) === 0)
    await leader.kill()
    const answer = await other.call('getOrRefill', 'key', { callers: 10 })
    expect(answer.value).toBe('value of run 1')
    expect(answer.took).toBeLessThan(SLACK)
    expect(await runs()).toBe(1)
  })

  test('while it serves a stale value and refills it: others go on serving that, and one of them refills', async () => {
    const [leader, other] = await start(2, { staleWhileRevalidate: 60_000 })
    await leader.call('getOrRefill', 'key', { options: { ttl: 1 } })
    await eventually('it is stale', async () => (await other.call('get', 'key')).value === null)
    await leader.call('getOrRefill', 'key', { until: 'for ever' })
    await leader.next('loading') // of the first load
    await leader.next('loading')
    await leader.kill()
    const answer = await other.call('getOrRefill', 'key')
    expect(answer.value).toBe('value of run 1')
    expect(answer.took).toBeLessThan(SLACK)
    const fresh = async (): Promise<boolean> => (await other.call('getOrRefill', 'key')).value === 'value of run 3'
    await eventually('another has refilled it', fresh, { within: LOCK_TTL + 1000 })
    expect(await runs()).toBe(3)
  })
})

describe('the process that refills is frozen beyond its lease', () => {
  test.each(['', ', and Redis flushed meanwhile'])(
    'its own caller gets its value, which does not overwrite the newer one%s',
    async (flushed) => {
      const [frozen, other] = await start(2)
      const own = frozen.call('getOrRefill', 'key', { until: 'told', value: 'old' })
      await frozen.next('loading')
      frozen.pause()
      await leaseEnds()
      if (flushed) await lab.redis.command('FLUSHALL')
      const newer = (await other.call('getOrRefill', 'key', { value: 'new' })).value
      frozen.go('key')
      frozen.resume()
      expect((await own).value).toBe('old of run 1')
      await frozen.next('lease-lost')
      expect(newer).toMatch(/^new of run/)
      await eventually('its flight is over', async () => {
        const { value } = await frozen.call('stats', '')
        return (value as { flights: number }).flights === 0
      })
      expect((await other.call('get', 'key')).value).toBe(newer)
      expect((await frozen.call('get', 'key')).value).toBe(newer)
      if (!flushed) expect(await runs()).toBe(2)
    },
  )

  test('when nobody has refilled meanwhile: its value goes to its caller and is not stored', async () => {
    const [frozen] = await start(1)
    const own = frozen.call('getOrRefill', 'key', { until: 'told' })
    await frozen.next('loading')
    frozen.pause()
    await leaseEnds()
    frozen.go('key')
    frozen.resume()
    expect((await own).value).toBe('value of run 1')
    await frozen.next('lease-lost')
    expect(await left()).toEqual([])
  })
})

describe('the process that refills blocks its own event loop beyond its lease', () => {
  test('its loader is told, its caller gets its value, and the lease is not revived', async () => {
    const [blocked] = await start(1)
    const own = blocked.call('getOrRefill', 'key', { blockFor: LOCK_TTL + 300, until: 'told' })
    await blocked.next('loading')
    expect(await blocked.next('aborted')).toMatchObject({ reason: 'LockLostError' })
    expect(await left()).toEqual([])
    blocked.go('key')
    expect((await own).value).toBe('value of run 1')
    expect(await left()).toEqual([])
  })
})

describe('a process ends by itself', () => {
  test('after close, with refills and waits pending: they settle, leases are given back, others need not wait', async () => {
    const [closing, other] = await start(2)
    const load = closing.call('getOrRefill', 'key', { until: 'for ever' })
    await closing.next('loading')
    const waited = other.call('getOrRefill', 'key')
    await eventually('the other waits', async () => (await lab.redis.command('EXISTS', keyOf(':waiters'))) === 1)
    const startedAt = performance.now()
    await closing.call('close', '')
    expect((await load).error).toMatchObject({ name: 'ClosedError' })
    expect((await waited).value).toBe('value of run 2')
    expect(performance.now() - startedAt).toBeLessThan(LOCK_TTL)
    expect(await closing.exited).toEqual({ code: 0, signal: null })
    expect(await runs()).toBe(2)
  })
})

test('a process whose wall clock is an hour off agrees with the others on what is fresh', async () => {
  const options = { memory: false as const }
  for (const [i, wallClockAhead] of [3_600_000, -3_600_000].entries()) {
    const [odd] = (await startCacheProcesses(lab, 1, { options, wallClockAhead })) as [CacheProcess]
    const [even] = (await startCacheProcesses(lab, 1, { options })) as [CacheProcess]
    const [key, short] = [`key ${i}`, `short ${i}`]
    for (const [writer, reader] of [
      [odd, even],
      [even, odd],
    ] as const) {
      await writer.call('invalidate', key)
      const { value } = await writer.call('getOrRefill', key)
      await eventually('it is stored', async () => !(await exists(keyOf(':lease', key))))
      expect((await reader.call('getOrRefill', key)).value).toBe(value)

      const mortal = (await writer.call('getOrRefill', short, { options: { ttl: 200 } })).value
      const isFresh = async (): Promise<boolean> => (await reader.call('get', short)).value === mortal
      await eventually('it is stored', async () => !(await exists(keyOf(':lease', short))))
      expect(await isFresh()).toBe(true)
      await eventually('it expires', async () => !(await isFresh()), { within: 1000 })
    }
    expect(await runs(key)).toBe(2)
  }
})
