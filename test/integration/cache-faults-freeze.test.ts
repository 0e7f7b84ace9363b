import { describe, expect, test } from 'vitest'
import { LockLostError, RedisTimeoutError } from '../../src/errors.ts'
import { cacheLab, gatedLoad, settled, timed, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { countLoads } from '../support/loads.ts'

const DEADLINE = 300
const SLACK = 250
const lab = cacheLab()

const leaseOf = (key: string): string => `${lab.prefix}:{${key}}:lease`
const exists = async (key: string): Promise<boolean> => (await lab.redis.command('EXISTS', key)) === 1
const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

test('an event loop that is blocked beyond the deadline, with the reply in the socket, makes no false timeout', async () => {
  const cache = lab.cache({ commandTimeout: 100 })
  await warmUp(lab.redis, cache)
  for (let round = 0; round < 5; round++) {
    const call = cache.getOrRefill(`key ${round}`, () => 'value')
    await new Promise((resolve) => process.nextTick(resolve)) // by now the claim has been sent
    block(200)
    expect(await call).toBe('value')
    await settled(cache)
    expect(await exists(`${lab.prefix}:{key ${round}}`)).toBe(true)
  }
  expect(lab.errors).toEqual([])
})

test('a loader slower than the lease keeps it, and others wait for it', async () => {
  const [leader, other] = [lab.cache({ lockTtl: 150 }), lab.cache({ lockTtl: 150 })]
  await warmUp(lab.redis, leader, other)
  const load = gatedLoad<string>()
  const calls = [leader.getOrRefill('key', load.loader)]
  await load.started
  const loads = countLoads(() => 'own')
  calls.push(other.getOrRefill('key', loads.loader))
  for (let i = 0; i < 10; i++) {
    await after(80)
    expect(await exists(leaseOf('key'))).toBe(true)
  }
  load.gate.resolve('led')
  expect(await Promise.all(calls)).toEqual(['led', 'led'])
  expect([load.runs, loads.runs]).toEqual([1, 0])
  expect(leader.stats().leasesLost).toBe(0)
  await settled(leader)
  expect(await exists(leaseOf('key'))).toBe(false)
})

test('a lease that cannot be extended ends here before it ends there', async () => {
  const lockTtl = 500
  const cache = lab.cache({ lockTtl, commandTimeout: DEADLINE })
  await warmUp(lab.redis, cache)
  const load = gatedLoad<string>()
  const claimedBefore = performance.now()
  const call = cache.getOrRefill('key', load.loader)
  const signal = await load.started
  lab.redis.pause()
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  // Nothing extended it: in Redis the lease lasts `lockTtl` from a moment after `claimedBefore`.
  expect(performance.now() - claimedBefore).toBeLessThan(lockTtl + SLACK)
  expect(signal.reason).toBeInstanceOf(LockLostError)
  load.gate.resolve('value')
  expect(await call).toBe('value')
  lab.redis.resume()
  await settled(cache)
  expect(cache.stats().leasesLost).toBe(1)
  expect(await exists(`${lab.prefix}:{key}`)).toBe(true) // nobody had taken it
})

describe('Redis is frozen for a while', () => {
  test('values within two deadlines, then at once by the breaker; and after it recovery and no ghost', async () => {
    const cache = lab.cache({ commandTimeout: DEADLINE, lockTtl: 60_000 })
    await warmUp(lab.redis, cache)
    lab.redis.pause()
    const loads = countLoads((run) => run)
    let worst = 0
    for (let i = 0; i < 3; i++) {
      worst = Math.max(worst, (await timed(() => cache.getOrRefill(`key ${i}`, loads.loader))).took)
    }
    expect(worst).toBeLessThan(2 * DEADLINE + SLACK)
    const reported = lab.errors.length
    const spared = await timed(async () => {
      for (let i = 3; i < 100; i++) await cache.getOrRefill(`key ${i}`, loads.loader)
    })
    expect(spared.took).toBeLessThan(DEADLINE + SLACK)
    expect(loads.runs).toBe(100)
    expect(lab.errors.length).toBeLessThanOrEqual(reported + 1)

    lab.redis.resume()
    // The claims that timed out here have run there; so have the releases that followed them on the same connection.
    await eventually('no lease is left behind', async () => !(await lab.keys()).some((key) => key.endsWith(':lease')))
    await eventually('the breaker lets go', async () => {
      const key = `after ${performance.now()}`
      await cache.getOrRefill(key, () => 'stored')
      await settled(cache)
      return exists(`${lab.prefix}:{${key}}`)
    })
    expect((await lab.keys()).filter((key) => key.endsWith(':lease') || key.endsWith(':waiters'))).toEqual([])
    for (const error of lab.errors) expect(error).toBeInstanceOf(RedisTimeoutError)
  })

  test('the stale value from memory at once, however long the refill takes to give up', async () => {
    const cache = lab.cache({ commandTimeout: DEADLINE, staleWhileRevalidate: 60_000 })
    await warmUp(lab.redis, cache)
    await cache.getOrRefill('key', () => 'old', { ttl: 1 })
    await settled(cache)
    lab.redis.pause()
    const { value, took } = await timed(() => cache.getOrRefill('key', () => 'new'))
    expect(value).toBe('old')
    expect(took).toBeLessThan(DEADLINE)
    await settled(cache)
    expect(cache.peek('key')).toBe('new')
  })

  test('while others wait for a refill: they are answered within their deadlines, and by the leader if it thaws', async () => {
    const [leader, waiter] = [lab.cache({ commandTimeout: DEADLINE }), lab.cache({ commandTimeout: DEADLINE })]
    await warmUp(lab.redis, leader, waiter)
    const load = gatedLoad<string>()
    const led = leader.getOrRefill('key', load.loader)
    await load.started
    const waited = waiter.getOrRefill('key', () => 'own')
    await eventually('the waiter is registered', () => exists(`${lab.prefix}:{key}:waiters`))
    lab.redis.pause()
    load.gate.resolve('led')
    expect(await led).toBe('led') // at once: the commit is not awaited
    await after(DEADLINE / 2)
    lab.redis.resume()
    expect(await waited).toBe('led')
    await settled(leader)
    expect(await exists(leaseOf('key'))).toBe(false)
  })
})
