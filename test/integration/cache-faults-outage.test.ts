import { describe, expect, test } from 'vitest'
import { cacheLab, gatedLoad, settled, timed, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { countLoads } from '../support/loads.ts'
import { RedisTimeoutError } from '../../src/errors.ts'

const DEADLINE = 300
/** What a busy machine may add. */
const SLACK = 250
const lab = cacheLab()
const options = { commandTimeout: DEADLINE }

describe('Redis is down', () => {
  test('from the start: values within one deadline, coalesced and kept in memory, and the breaker spares the wait', async () => {
    await lab.redis.kill()
    const cache = lab.cache(options)
    const loads = countLoads(() => 'value')
    const first = await timed(() =>
      Promise.all(Array.from({ length: 100 }, () => cache.getOrRefill('key', loads.loader))),
    )
    expect(new Set(first.value)).toEqual(new Set(['value']))
    expect(first.took).toBeLessThan(DEADLINE + SLACK)
    expect(loads.runs).toBe(1)
    expect(cache.peek('key')).toBe('value')
    expect(lab.errors.length).toBeGreaterThan(0)

    for (const key of ['b', 'c']) await cache.getOrRefill(key, () => key)
    const errors = lab.errors.length
    const spared = await timed(() => cache.getOrRefill('d', () => 'd'))
    expect(spared.value).toBe('d')
    expect(spared.took).toBeLessThan(DEADLINE)
    expect(lab.errors.length).toBe(errors)
  })

  test('and comes back: the cache is shared again', async () => {
    await lab.redis.kill()
    const cache = lab.cache(options)
    for (const key of ['a', 'b', 'c', 'd']) await cache.getOrRefill(key, () => key)
    await lab.redis.restart()
    await eventually('something is stored', async () => {
      await cache.getOrRefill(`key ${performance.now()}`, () => 1)
      return (await lab.keys()).some((key) => key.includes('key'))
    })
    const other = lab.cache(options)
    const loads = countLoads(() => 'shared')
    await cache.getOrRefill('shared', loads.loader)
    await settled(cache)
    expect(await other.getOrRefill('shared', loads.loader)).toBe('shared')
    expect(loads.runs).toBe(1)
  })

  test('before a read: a fresh value from memory, else one load within a deadline', async () => {
    const cache = lab.cache(options)
    await warmUp(lab.redis, cache)
    await cache.getOrRefill('key', () => 'kept')
    await lab.redis.kill()
    expect(await cache.getOrRefill('key', () => 'new')).toBe('kept')
    const { value, took } = await timed(() => cache.getOrRefill('other', () => 'loaded'))
    expect(value).toBe('loaded')
    expect(took).toBeLessThan(DEADLINE + SLACK)
    expect(await cache.getOrRefill('key', () => 'new')).toBe('kept') // the subscriber, too, is lost by now
  })

  test('before a read of what is stale: the stale value at once, refilled in memory', async () => {
    const cache = lab.cache({ ...options, ttl: 1, staleWhileRevalidate: 60_000 })
    await warmUp(lab.redis, cache)
    await cache.getOrRefill('key', () => 'old')
    await settled(cache)
    await lab.redis.kill()
    const { value, took } = await timed(() => cache.getOrRefill('key', () => 'new', { ttl: 60_000 }))
    expect(value).toBe('old')
    expect(took).toBeLessThan(DEADLINE)
    await settled(cache)
    expect(cache.peek('key')).toBe('new')
  })

  test('during the claim: loads within a deadline', async () => {
    const cache = lab.cache(options)
    await warmUp(lab.redis, cache)
    lab.redis.pause()
    const call = timed(() => cache.getOrRefill('key', () => 'loaded'))
    await lab.redis.kill()
    const { value, took } = await call
    expect(value).toBe('loaded')
    expect(took).toBeLessThan(DEADLINE + SLACK)
  })

  test('during the load, and so for the commit: the value, to every caller', async () => {
    const cache = lab.cache(options)
    await warmUp(lab.redis, cache)
    const load = gatedLoad<string>()
    const calls = [cache.getOrRefill('key', load.loader), cache.getOrRefill('key', load.loader)]
    await load.started
    await lab.redis.kill()
    load.gate.resolve('value')
    const { value, took } = await timed(() => Promise.all(calls))
    expect(value).toEqual(['value', 'value'])
    expect(took).toBeLessThan(100)
    expect(load.runs).toBe(1)
    await settled(cache)
    expect(cache.peek('key')).toBe('value')
    expect(lab.errors).toContainEqual(expect.any(RedisTimeoutError))
  })

  test('when a failed refill is to be released: the very reason of the loader', async () => {
    const cache = lab.cache(options)
    const load = gatedLoad<string>()
    const call = cache.getOrRefill('key', load.loader)
    await load.started
    await lab.redis.kill()
    const reason = new Error("the loader's own")
    load.gate.reject(reason)
    await expect(call).rejects.toBe(reason)
    await settled(cache)
  })

  test('while others wait for a refill: each process loads for itself, none waits for longer than its deadlines', async () => {
    const [leader, waiter] = [lab.cache(options), lab.cache(options)]
    await warmUp(lab.redis, leader, waiter)
    const load = gatedLoad<string>()
    const led = leader.getOrRefill('key', load.loader)
    await load.started
    const waited = waiter.getOrRefill('key', () => 'own')
    await eventually('the waiter is registered', async () => (await lab.keys()).some((key) => key.endsWith(':waiters')))
    const { value, took } = await timed(async () => {
      await lab.redis.kill()
      return waited
    })
    expect(value).toBe('own')
    expect(took).toBeLessThan(2 * DEADLINE + SLACK)
    load.gate.resolve('led')
    expect(await led).toBe('led')
  })

  test('when told to set, invalidate or clear: the error, within a deadline', async () => {
    const cache = lab.cache(options)
    await warmUp(lab.redis, cache)
    await lab.redis.kill()
    for (const change of [() => cache.set('key', 1), () => cache.invalidate('key'), () => cache.clear()]) {
      const { value, took } = await timed(() =>
        change().then(
          () => 'done',
          (error: unknown) => error,
        ),
      )
      expect(value).toBeInstanceOf(Error)
      expect(took).toBeLessThan(DEADLINE + SLACK)
    }
    expect(await cache.get('key')).toBeUndefined()
  })

  test('at close: settles within a deadline', async () => {
    const cache = lab.cache(options)
    await warmUp(lab.redis, cache)
    const load = gatedLoad<string>()
    const calls = Promise.allSettled([cache.getOrRefill('key', load.loader)])
    await load.started
    await lab.redis.kill()
    const { took } = await timed(() => cache.close())
    expect(took).toBeLessThan(2 * DEADLINE + SLACK)
    expect(await calls).toMatchObject([{ status: 'rejected', reason: { code: 'CLOSED' } }])
  })
})

describe('Redis loses what it had', () => {
  test('by a restart in mid-refill: the callers get their value, which does not overwrite what came after', async () => {
    const [first, second] = [lab.cache(options), lab.cache(options)]
    await warmUp(lab.redis, first, second)
    const load = gatedLoad<string>()
    const call = first.getOrRefill('key', load.loader)
    await load.started
    await lab.redis.restart()
    const newer = await eventually('the other process reaches Redis again', async () => {
      await second.set('key', 'newer').catch(() => {})
      return second.get('key')
    })
    load.gate.resolve('older')
    expect(await call).toBe('older')
    await settled(first)
    expect(newer).toBe('newer')
    expect(await lab.cache({ ...options, memory: false }).get('key')).toBe('newer')
  })

  const flush = (): Promise<unknown> => lab.redis.command('FLUSHALL')

  test('by FLUSHALL before the claim: loads anew', async () => {
    const cache = lab.cache({ ...options, memory: false })
    const loads = countLoads((run) => run)
    await cache.getOrRefill('key', loads.loader)
    await settled(cache)
    await flush()
    expect(await cache.getOrRefill('key', loads.loader)).toBe(2)
  })

  test('by FLUSHALL during the load: the value goes to its callers, and an older one never over a newer', async () => {
    const [first, second] = [lab.cache(options), lab.cache(options)]
    await warmUp(lab.redis, first, second)
    const load = gatedLoad<string>()
    const call = first.getOrRefill('key', load.loader)
    await load.started
    await flush()
    expect(await second.getOrRefill('key', () => 'newer')).toBe('newer')
    await settled(second)
    load.gate.resolve('older')
    expect(await call).toBe('older')
    await settled(first)
    expect(await lab.cache({ ...options, memory: false }).get('key')).toBe('newer')
  })

  test('by FLUSHALL while others wait: they are answered when the lease would have ended, by one further load', async () => {
    const lockTtl = 400
    const caches = [1, 2, 3].map(() => lab.cache({ ...options, lockTtl }))
    await warmUp(lab.redis, ...caches)
    const [leader, ...waiters] = caches as [(typeof caches)[0], ...typeof caches]
    const load = gatedLoad<string>()
    const led = leader.getOrRefill('key', load.loader)
    await load.started
    const loads = countLoads((run) => `run ${run}`)
    const waited = timed(() => Promise.all(waiters.map((waiter) => waiter.getOrRefill('key', loads.loader))))
    await eventually(
      'both are registered',
      async () => (await lab.redis.command('SCARD', `${lab.prefix}:{key}:waiters`)) === 2,
    )
    await flush()
    const { value, took } = await waited
    expect(value).toEqual(['run 1', 'run 1'])
    expect(took).toBeLessThan(lockTtl + 2 * SLACK)
    load.gate.resolve('led')
    expect(await led).toBe('led')
  })

  test('by FLUSHALL after the commit: memory still answers', async () => {
    const cache = lab.cache(options)
    await warmUp(lab.redis, cache)
    await cache.getOrRefill('key', () => 'value')
    await settled(cache)
    await flush()
    expect(await cache.getOrRefill('key', () => 'other')).toBe('value')
  })
})

test('SCRIPT FLUSH before every operation costs no answer and no error', async () => {
  const [first, second] = [lab.cache(options), lab.cache({ ...options, memory: false })]
  const flushScripts = (): Promise<unknown> => lab.redis.command('SCRIPT', 'FLUSH')
  for (let round = 0; round < 3; round++) {
    const load = gatedLoad<string>()
    await flushScripts()
    const led = first.getOrRefill(`key ${round}`, load.loader)
    await load.started
    await flushScripts()
    const waited = second.getOrRefill(`key ${round}`, () => 'own')
    await eventually('the waiter is registered', async () => (await lab.keys()).some((key) => key.endsWith(':waiters')))
    await flushScripts()
    load.gate.resolve('led')
    expect(await Promise.all([led, waited])).toEqual(['led', 'led'])
    await settled(first)
    for (const change of [
      () => first.set('key', round),
      () => first.invalidate('key'),
      () => first.set('key', round, { tags: ['tag'] }),
      () => first.invalidateTags('tag'),
    ]) {
      await flushScripts()
      await change()
    }
    await flushScripts()
    expect(await second.get('key')).toBeUndefined()
  }
  expect(lab.errors).toEqual([])
})
