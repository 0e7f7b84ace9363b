import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CacheOptions } from '../../src/cache/options.ts'
import type { Cache } from '../../src/cache/cache.ts'
import { cacheLab, gatedLoad, settled, timed, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { countLoads } from '../support/loads.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const DEADLINE = 300
const SLACK = 250
const lab = cacheLab({ debug: true })
let proxy: TcpProxy
beforeEach(async () => {
  proxy = await startProxy(lab.redis)
})
afterEach(() => proxy.close())

const throughProxy = (options: Partial<CacheOptions> = {}): Cache =>
  lab.cache({ commandTimeout: DEADLINE, ...options }, `redis://127.0.0.1:${proxy.port}`)
const isScript = (words: readonly string[]): boolean => /^eval/i.test(words[0] ?? '')
const exists = async (key: string): Promise<boolean> =>
  (await lab.redis.command('EXISTS', `${lab.prefix}:${key}`)) === 1

async function expectRecovery(cache: Cache): Promise<void> {
  await eventually('it is shared again', async () => {
    const key = `after ${performance.now()}`
    expect(await cache.getOrRefill(key, () => 'loaded')).toBe('loaded')
    await settled(cache)
    return exists(`{${key}}`)
  })
  await eventually('no lease is left', async () => !(await lab.keys()).some((key) => key.endsWith(':lease')))
}

test('half-open connections: values within the deadline, no storm of commands, later recovery', async () => {
  const cache = throughProxy()
  await warmUp(lab.redis, cache)
  proxy.pause()
  const sent = proxy.commands().length
  const loads = countLoads(() => 'value')
  const { took } = await timed(async () => {
    for (let i = 0; i < 3; i++) expect(await cache.getOrRefill(`key ${i}`, loads.loader)).toBe('value')
  })
  expect(took).toBeLessThan(3 * (2 * DEADLINE) + SLACK)
  for (let i = 3; i < 100; i++) expect(await cache.getOrRefill(`key ${i}`, loads.loader)).toBe('value')
  expect(loads.runs).toBe(100)
  proxy.resume()
  await expectRecovery(cache)
  // A claim and its release for each attempt, one attempt a second once the breaker is open.
  expect(proxy.commands().length - sent).toBeLessThan(60)
})

test('connections that are never made: values within the deadline, later recovery', async () => {
  proxy.pause() // accepted, and then nothing: a SYN that is dropped looks the same to a client
  const cache = throughProxy()
  const { value, took } = await timed(() => cache.getOrRefill('key', () => 'value'))
  expect(value).toBe('value')
  expect(took).toBeLessThan(DEADLINE + SLACK)
  proxy.resume()
  await expectRecovery(cache)
})

test('a latency above the deadline: values within it, and no lease left behind', async () => {
  const cache = throughProxy()
  await warmUp(lab.redis, cache)
  proxy.delay(500)
  const { value, took } = await timed(() => cache.getOrRefill('key', () => 'value'))
  expect(value).toBe('value')
  expect(took).toBeLessThan(DEADLINE + SLACK)
  proxy.delay(0)
  await expectRecovery(cache)
})

test('a latency below the deadline: everything works, in one round trip before the load', async () => {
  const cache = throughProxy({ commandTimeout: 1000 })
  await warmUp(lab.redis, cache)
  proxy.delay(100)
  const load = gatedLoad<string>()
  const call = timed(() => cache.getOrRefill('key', load.loader))
  const started = await timed(() => load.started)
  expect(started.took).toBeLessThan(200 + SLACK)
  load.gate.resolve('value')
  expect((await call).value).toBe('value')
  await settled(cache)
  expect(await exists('{key}')).toBe(true)
  expect(lab.errors).toEqual([])
})

describe('a reply is lost', () => {
  test('that of the claim: the lease is ours all the same, or free at once; never an orphan', async () => {
    const cache = throughProxy({ lockTtl: 60_000 })
    await warmUp(lab.redis, cache)
    const lost = proxy.loseReplies(1, isScript)
    const { value, took } = await timed(() => cache.getOrRefill('key', () => 'value'))
    await lost
    expect(value).toBe('value')
    expect(took).toBeLessThan(DEADLINE + SLACK)
    await expectRecovery(cache)
    const other = await timed(() => lab.cache({ memory: false }).getOrRefill('key', () => 'value'))
    expect(other.took).toBeLessThan(SLACK)
  })

  test('that of the commit: the value, and no lease left behind', async () => {
    const cache = throughProxy({ lockTtl: 60_000 })
    await warmUp(lab.redis, cache)
    const load = gatedLoad<string>()
    const call = cache.getOrRefill('key', load.loader)
    await load.started
    const lost = proxy.loseReplies(1, isScript)
    load.gate.resolve('value')
    expect(await call).toBe('value')
    await lost
    await expectRecovery(cache)
    expect(await lab.cache({ memory: false }).get('key')).toBe('value')
  })

  test('in part: values within the deadline, later recovery', async () => {
    const cache = throughProxy()
    await warmUp(lab.redis, cache)
    for (const bytes of [1, 5, 20]) {
      const truncated = proxy.truncateReply(bytes, isScript)
      const { value, took } = await timed(() => cache.getOrRefill(`key ${bytes}`, () => 'value'))
      await truncated
      expect(value).toBe('value')
      expect(took).toBeLessThan(DEADLINE + SLACK)
    }
    await expectRecovery(cache)
  })
})

test('connections reset over and over: values, and no second load of what is being loaded', async () => {
  const cache = throughProxy({ lockTtl: 10_000 })
  await warmUp(lab.redis, cache)
  const load = gatedLoad<string>()
  const calls = [cache.getOrRefill('key', load.loader)]
  await load.started
  for (let i = 0; i < 5; i++) {
    proxy.reset()
    calls.push(cache.getOrRefill('key', load.loader))
    await eventually('it is connected again', () => proxy.connections().length >= 2)
  }
  load.gate.resolve('value')
  expect(new Set(await Promise.all(calls))).toEqual(new Set(['value']))
  expect(load.runs).toBe(1)
  await expectRecovery(cache)
})

describe('Redis itself is slow', () => {
  test.each([
    ['CLIENT PAUSE', ['CLIENT', 'PAUSE', '1000', 'ALL']],
    ['DEBUG SLEEP', ['DEBUG', 'SLEEP', '1']],
  ])('%s: values within the deadline, later recovery', async (_name, command) => {
    const cache = throughProxy()
    await warmUp(lab.redis, cache)
    const slow = lab.redis.command(...command)
    await eventually('it is slow', async () => (await timed(() => cache.get('nothing'))).took > DEADLINE / 2)
    const { value, took } = await timed(() => cache.getOrRefill('key', () => 'value'))
    expect(value).toBe('value')
    expect(took).toBeLessThan(DEADLINE + SLACK)
    await slow
    await expectRecovery(cache)
  })

  test('CLIENT KILL of all connections while a refill runs: the value, stored', async () => {
    const cache = throughProxy({ lockTtl: 10_000 })
    await warmUp(lab.redis, cache)
    const load = gatedLoad<string>()
    const call = cache.getOrRefill('key', load.loader)
    await load.started
    await lab.redis.command('CLIENT', 'KILL', 'TYPE', 'normal')
    await lab.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    load.gate.resolve('value')
    expect(await call).toBe('value')
    await expectRecovery(cache)
    expect(await lab.cache({ memory: false }).get('key')).toBe('value')
  })
})
