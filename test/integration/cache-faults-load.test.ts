import { describe, expect, test } from 'vitest'
import { RefillFailedError } from '../../src/errors.ts'
import { sealed } from '../support/sealed.ts'
import { cacheLab, gatedLoad, settled, warmUp } from '../support/cache-lab.ts'
import { startCacheProcesses, type CacheProcess } from '../support/cache-process.ts'
import { eventually } from '../support/eventually.ts'
import { countLoads } from '../support/loads.ts'

const lab = cacheLab()
const commandsRun = async (): Promise<number> =>
  Number(/total_commands_processed:(\d+)/.exec(String(await lab.redis.command('INFO', 'stats')))?.[1])

describe('many waiters in several processes', () => {
  test('5000, whose leader fails: all get its failure, of one load, and the next caller loads anew', async () => {
    const [leader, other] = [lab.cache(), lab.cache()]
    await warmUp(lab.redis, leader, other)
    const load = gatedLoad<string>()
    const own = Array.from({ length: 2500 }, () => leader.getOrRefill('key', load.loader))
    await load.started
    const loads = countLoads(() => 'anew')
    const others = Array.from({ length: 2500 }, () => other.getOrRefill('key', loads.loader))
    await eventually('the others wait', async () => (await lab.keys()).some((key) => key.endsWith(':waiters')))
    const reason = new Error('the origin is down')
    load.gate.reject(reason)
    for (const outcome of await Promise.allSettled(own)) expect(outcome).toEqual({ status: 'rejected', reason })
    for (const outcome of await Promise.allSettled(others)) {
      expect(outcome).toMatchObject({
        reason: { code: 'REFILL_FAILED', message: expect.stringContaining('the origin is down') as string },
      })
    }
    expect([load.runs, loads.runs]).toEqual([1, 0])
    expect(await other.getOrRefill('key', loads.loader)).toBe('anew')
  })

  test('the failure of another process says which and why', async () => {
    const [leader, other] = (await startCacheProcesses(lab, 2)) as [CacheProcess, CacheProcess]
    const led = leader.call('getOrRefill', 'key', { until: 'told', fails: true })
    await leader.next('loading key')
    const waited = other.call('getOrRefill', 'key', { callers: 5 })
    await eventually('it waits', async () => (await lab.keys()).some((key) => key.endsWith(':waiters')))
    leader.go('key')
    expect((await led).error).toEqual({ name: 'Error', message: 'failure of run 1' })
    const { error } = await waited
    expect(error?.name).toBe(RefillFailedError.name)
    expect(error?.message).toMatch(new RegExp(`^refill of "key" failed in .+:${leader.pid}: Error: failure of run 1$`))
  })

  test('1000 for 4 s cost a bounded number of commands, which does not grow with time or with waiters', async () => {
    const lockTtl = 900
    const caches = [1, 2, 3, 4].map(() => lab.cache({ lockTtl }))
    await warmUp(lab.redis, ...caches)
    const [leader, ...others] = caches as [(typeof caches)[0], ...typeof caches]
    const load = gatedLoad<string>()
    const calls = [leader.getOrRefill('key', load.loader)]
    await load.started
    for (const other of others) for (let i = 0; i < 333; i++) calls.push(other.getOrRefill('key', load.loader))
    const second = async (): Promise<number> => {
      const before = await commandsRun()
      await new Promise((resolve) => setTimeout(resolve, 1000))
      return (await commandsRun()) - before
    }
    const perSecond = [await second(), await second(), await second(), await second()]
    load.gate.resolve('value')
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['value']))
    // A second of waiting: each waiting process sends one heartbeat and, each time the lease that it knows of has ended,
    // one claim; the leader extends its lease about 3 times per lockTtl. Scripts run up to 5 commands inside.
    const claims = others.length * Math.ceil(1000 / lockTtl)
    const heartbeats = others.length
    const extensions = Math.ceil((3 * 1000) / lockTtl) + 1
    const probes = 10 // our own, each on a connection of its own
    const bound = claims * 7 + heartbeats * 2 + extensions * 3 + probes
    for (const count of perSecond) expect(count).toBeLessThan(bound)
    expect(load.runs).toBe(1)
  })
})

test('more flights than memory has room for: none is refused, none loads twice', async () => {
  const cache = lab.cache({ memory: { maxEntries: 2 } })
  await warmUp(lab.redis, cache)
  const gates = Array.from({ length: 50 }, () => gatedLoad<string>())
  const calls = gates.flatMap((load, i) => [
    cache.getOrRefill(`key ${i}`, load.loader),
    cache.getOrRefill(`key ${i}`, load.loader),
  ])
  await Promise.all(gates.map((load) => load.started))
  gates.forEach((load, i) => load.gate.resolve(`value ${i}`))
  const values = await Promise.all(calls)
  expect(values).toEqual(gates.flatMap((_, i) => [`value ${i}`, `value ${i}`]))
  await settled(cache)
  const again = await Promise.all(gates.map((load, i) => cache.getOrRefill(`key ${i}`, load.loader)))
  expect(again).toEqual(gates.map((_, i) => `value ${i}`)) // from Redis
  expect(gates.every((load) => load.runs === 1)).toBe(true)
})

test('a background refill that fails is an event, and the stale value goes on being served', async () => {
  const cache = lab.cache({ staleWhileRevalidate: 60_000 })
  await warmUp(lab.redis, cache)
  await cache.getOrRefill('key', () => 'old', { ttl: 1 })
  await settled(cache)
  await eventually('it is stale', () => cache.peek('key') === undefined)
  const failures: unknown[] = []
  cache.on('refill-failed', ({ error }) => failures.push(error))
  const reason = new Error('the origin is down')
  // The hit path's clock may be some ms behind: the first calls may still find the value fresh.
  await eventually('a refill has failed', async () => {
    expect(await cache.getOrRefill('key', () => Promise.reject(reason))).toBe('old')
    return failures.length > 0
  })
  await settled(cache)
  expect(await cache.getOrRefill('key', () => Promise.reject(reason))).toBe('old')
  expect(failures).toEqual([reason])
})

describe('what stands in Redis and is no entry of ours', () => {
  /** An entry as it is stored, fresh for long, with that for the codec. */
  const envelope = (payload: string): Buffer => {
    const until = Date.now() + 60_000
    const instants = { freshUntil: until, staleUntil: until, errorUntil: until }
    return sealed({ kind: 'value', ...instants, loadTime: 0, tags: [], payload: Buffer.from(payload) })
  }
  test.each([
    ['nothing at all', ''],
    ['text of others', '{"name":"Ada"}'],
    ['another version', envelope('J1').toString().replace('hl1', 'hl9')],
    ['half a header', envelope('').subarray(0, 30)],
    ['a header and nothing else', envelope('')],
    ['half a value', envelope('J{"a":')],
    ['an unknown encoding', envelope('X1')],
    ['hostile JSON', envelope('J{"__proto__":{"polluted":true}}')],
    ['hostile rich text', envelope('R[["Object","__proto__"],{"polluted":1}]')],
  ])('%s: a miss, reported, replaced', async (_name, bytes) => {
    const cache = lab.cache()
    await lab.redis.command('SET', `${lab.prefix}:{key}`, bytes)
    expect(await cache.get('key')).toBeUndefined()
    const loads = countLoads(() => 'value')
    expect(await Promise.all([cache.getOrRefill('key', loads.loader), cache.getOrRefill('key', loads.loader)])).toEqual(
      ['value', 'value'],
    )
    await settled(cache)
    expect(loads.runs).toBe(1)
    expect(lab.errors.length).toBeGreaterThan(0)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect(await lab.cache({ memory: false }).get('key')).toBe('value')
  })

  test.each([
    ['a list', ['RPUSH']],
    ['a hash', ['HSET', 'field']],
    ['a set', ['SADD']],
  ])('%s under the key: a miss, reported, replaced', async (_name, [command, ...rest]) => {
    const cache = lab.cache()
    await lab.redis.command(command as string, `${lab.prefix}:{key}`, ...rest, 'value')
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.getOrRefill('key', () => 'value')).toBe('value')
    await settled(cache)
    expect(lab.errors.length).toBeGreaterThan(0)
    expect(await lab.cache({ memory: false }).get('key')).toBe('value')
  })

  test('random bytes, and every truncation of an entry: a value, never an error', async () => {
    const cache = lab.cache({ memory: false })
    await cache.getOrRefill('key', () => ({ some: 'value' }))
    await settled(cache)
    const redis = lab.client()
    const bytes = (await redis.getBuffer(`${lab.prefix}:{key}`)) as Buffer
    for (let length = 0; length < bytes.length; length++) {
      await redis.set(`${lab.prefix}:{key}`, bytes.subarray(0, length))
      expect(await cache.getOrRefill('key', () => 'loaded'), `${length} bytes`).toBe('loaded')
      await settled(cache)
    }
  })
})
