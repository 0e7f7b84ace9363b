import { describe, expect, test } from 'vitest'
import { cacheLab, subscribers, timed, warmUp } from '../support/cache-lab.ts'
import { startCacheProcesses, type CacheProcess } from '../support/cache-process.ts'
import { eventually } from '../support/eventually.ts'
import { gatedLoads } from '../support/gated-loads.ts'

const lab = cacheLab()
const LOCK_TTL = 800
/** What a busy machine may add. */
const SLACK = 700

const slotKey = (): string => `${lab.prefix}:slots:{${lab.prefix}}`
const count = async (key: string): Promise<number> => Number(await lab.redis.command('ZCARD', key))
const lines = (length: number): Promise<boolean> =>
  eventually('they stand in line', async () => (await count(`${slotKey()}:line`)) === length)

async function processes(number: number, options: object = {}): Promise<[CacheProcess, CacheProcess, CacheProcess]> {
  const more = { maxLoads: 1, lockTtl: LOCK_TTL, ...options }
  const started = await startCacheProcesses(lab, number, { options: more })
  await eventually('their inboxes are open', async () => (await subscribers(lab.redis)) === number)
  return started as [CacheProcess, CacheProcess, CacheProcess]
}

describe('a process is lost', () => {
  test('killed while it loads: its slot comes back within lockTtl', async () => {
    const [holder, other] = await processes(2)
    void holder.call('getOrRefill', 'first', { until: 'for ever' }).catch(() => {})
    await holder.next('loading first')
    const answer = other.call('getOrRefill', 'second')
    await lines(1)
    await holder.kill()
    const { value, took } = await timed(() => answer)
    expect(value).toMatchObject({ value: 'value of run 1' })
    expect(took).toBeLessThan(LOCK_TTL + 100 + SLACK)
  })

  test('killed while it stands in line: those behind it lose nothing', async () => {
    const [holder, lost, other] = await processes(3)
    const first = holder.call('getOrRefill', 'first', { until: 'told' })
    await holder.next('loading first')
    for (const key of ['a', 'b', 'c']) void lost.call('getOrRefill', key).catch(() => {})
    await lines(3)
    const waits = other.call('getOrRefill', 'a') // for what the lost one was to load
    const answer = other.call('getOrRefill', 'second')
    await lines(4)
    const more = ['x', 'y'].map((key) => holder.call('getOrRefill', key, { until: 'told' }))
    await lines(6)
    await lost.kill()
    await eventually('it is gone', async () => (await subscribers(lab.redis)) === 2)
    holder.go('first')
    await first
    const { value, took } = await timed(() => answer)
    expect(value).toMatchObject({ value: 'value of run 1' })
    expect(took).toBeLessThan(SLACK)
    await holder.next('loading x')
    const lined = await timed(() => lines(2)) // y, and what the lost one was to load
    expect(lined.took).toBeLessThan(LOCK_TTL + 100 + SLACK)
    holder.go('x')
    await holder.next('loading y')
    holder.go('y')
    await Promise.all(more)
    expect((await waits).value).toBe('value of run 1')
    expect(await count(`${slotKey()}:line`)).toBe(0)
  })

  test('killed while all others only wait for what it stands in line for: they find out within lockTtl', async () => {
    const [lost, other] = await processes(2)
    void lost.call('getOrRefill', 'first', { until: 'for ever' }).catch(() => {})
    await lost.next('loading first')
    void lost.call('getOrRefill', 'a').catch(() => {})
    await lines(1)
    const waits = other.call('getOrRefill', 'a')
    const waiters = (): Promise<unknown> => lab.redis.command('SCARD', `${lab.prefix}:{a}:waiters`)
    await eventually('it waits', async () => Number(await waiters()) === 1)
    await lost.kill()
    const { value, took } = await timed(() => waits)
    expect(value).toMatchObject({ value: 'value of run 1' })
    expect(took).toBeLessThan(2 * LOCK_TTL + 100 + SLACK) // its slot, then its lease of that key
  })

  test('frozen while it loads and stands in line: others go on, and when it wakes its callers are answered', async () => {
    const [frozen, other] = await processes(2)
    const own = [
      frozen.call('getOrRefill', 'first', { until: 'told' }),
      frozen.call('getOrRefill', 'a'),
      frozen.call('getOrRefill', 'b'),
    ]
    await frozen.next('loading first')
    await lines(2)
    frozen.pause()
    const { value, took } = await timed(() => other.call('getOrRefill', 'second'))
    expect(value).toMatchObject({ value: 'value of run 1' })
    expect(took).toBeLessThan(LOCK_TTL + 100 + SLACK)
    frozen.go('first')
    frozen.resume()
    for (const answer of own) expect((await answer).value).toBe('value of run 1')
  })
})

describe('Redis is lost', () => {
  test('frozen: those in line go on within the limit of each process, and nobody waits for ever', async () => {
    const cache = lab.cache({ maxLoads: 2, lockTtl: LOCK_TTL, commandTimeout: 300 })
    await warmUp(lab.redis, cache)
    const loads = gatedLoads()
    const answers = ['a', 'b', 'c', 'd', 'e'].map((key) => cache.getOrRefill(key, loads.loader))
    await lines(3)
    lab.redis.pause()
    loads.endAll()
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd', 'e'].map((key) => `value of ${key}`))
    expect(loads.most).toBe(2)
    lab.redis.resume()
    await eventually('slots are free', async () => (await count(slotKey())) === 0)
  })

  test('frozen before: loads that come run within the limit of the process', async () => {
    const cache = lab.cache({ maxLoads: 2, commandTimeout: 200 })
    await warmUp(lab.redis, cache)
    lab.redis.pause()
    const loads = gatedLoads()
    const answers = ['a', 'b', 'c', 'd'].map((key) => cache.getOrRefill(key, loads.loader))
    await eventually('two run', () => loads.running.length === 2)
    loads.endAll()
    await Promise.all(answers)
    expect(loads.most).toBe(2)
  })

  test('stopped while they stand in line', async () => {
    const cache = lab.cache({ maxLoads: 1, lockTtl: LOCK_TTL, commandTimeout: 300 })
    await warmUp(lab.redis, cache)
    const loads = gatedLoads()
    const answers = ['a', 'b', 'c'].map((key) => cache.getOrRefill(key, loads.loader))
    await lines(2)
    await lab.redis.kill()
    loads.endAll()
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c'].map((key) => `value of ${key}`))
    expect(loads.most).toBe(1)
  })
})
