import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { gatedLoad, settled, timed, warmUp } from '../support/cache-lab.ts'
import { countLoads } from '../support/loads.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { uniquePrefix } from '../support/shared-redis.ts'

const DEADLINE = 300
/** The deadlines that a caller may have to sit out, one instance after the other, and what a busy machine adds. */
const BOUND = 3 * DEADLINE + 500
const LEASE_TTL = 1000

type Fault = 'up' | 'frozen' | 'refusing' | 'leased elsewhere'
const FAULTS: readonly Fault[] = ['frozen', 'refusing', 'leased elsewhere']

let servers: RedisServer[]
let prefix: string
const ends: (() => unknown)[] = []
beforeAll(async () => {
  servers = await Promise.all([startRedis(), startRedis(), startRedis()])
})
beforeEach(() => {
  prefix = uniquePrefix('instances')
})
afterEach(async () => {
  for (const server of servers) {
    server.resume()
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', '0')
  }
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(() => Promise.all(servers.map((server) => server.stop())))

function cacheOnAll(count: number): Cache {
  const redis = servers.slice(0, count).map(({ url }) => new Redis(url))
  for (const client of redis) client.on('error', () => {})
  const cache = createCache({
    ttl: 60_000,
    redis,
    prefix,
    memory: false,
    commandTimeout: DEADLINE,
    lockTtl: LEASE_TTL,
    waitTimeout: DEADLINE,
  })
  ends.push(() => redis.forEach((client) => client.disconnect()), cache.close)
  return cache
}

const lease = (): string => `${prefix}:{key}:lease`

async function inflict(fault: Fault, server: RedisServer): Promise<void> {
  if (fault === 'frozen') server.pause()
  if (fault === 'refusing') await server.command('CONFIG', 'SET', 'min-replicas-to-write', '1') // NOREPLICAS
  if (fault === 'leased elsewhere') await server.command('SET', lease(), 'another', 'PX', 60_000)
}

/** Every instance in every state, but for those in which all are up. */
function masks(count: number): Fault[][] {
  let all: Fault[][] = [[]]
  for (let i = 0; i < count; i++)
    all = all.flatMap((mask) => (['up', ...FAULTS] as const).map((fault) => [...mask, fault]))
  return all.filter((mask) => mask.some((fault) => fault !== 'up'))
}

describe.each([2, 3])('on %i instances', (count) => {
  test.each(masks(count).map((mask) => [mask.join(', '), mask] as const))(
    'that are %s: the caller has its value in time, and those that work are free again',
    async (_what, mask) => {
      const cache = cacheOnAll(count)
      await warmUp(servers[0] as RedisServer, cache)
      for (const [i, fault] of mask.entries()) await inflict(fault, servers[i] as RedisServer)
      const loads = countLoads(() => 'value')
      const calls = await timed(() => Promise.all([1, 2, 3].map(() => cache.getOrRefill('key', loads.loader))))
      expect(calls.value).toEqual(['value', 'value', 'value'])
      expect(loads.runs).toBe(1)
      expect(calls.took).toBeLessThan(BOUND)
      for (const server of servers) server.resume()
      await settled(cache)
      for (const [i, fault] of mask.entries()) {
        const left = 'leased elsewhere' === fault ? 'another' : null
        await expect.poll(() => servers[i]?.command('GET', lease())).toBe(left)
      }
    },
  )
})

test('one that goes down while the value is loaded costs the value its place there, nothing else', async () => {
  const cache = cacheOnAll(3)
  await warmUp(servers[0] as RedisServer, cache)
  const load = gatedLoad<string>()
  const led = cache.getOrRefill('key', load.loader)
  await load.started
  servers[1]?.pause()
  load.gate.resolve('value')
  expect(await led).toBe('value')
  await settled(cache)
  servers[1]?.resume()
  for (const i of [0, 2]) {
    expect(await servers[i]?.command('EXISTS', `${prefix}:{key}`)).toBe(1)
    expect(await servers[i]?.command('EXISTS', lease())).toBe(0)
  }
  await expect.poll(() => servers[1]?.command('EXISTS', lease()), { timeout: 5000 }).toBe(0)
})

test('a lease that somebody deletes by hand is lost, not made anew: own callers have the value, nobody keeps it', async () => {
  const cache = cacheOnAll(1)
  const [server] = servers as [RedisServer]
  await warmUp(server, cache)
  const load = gatedLoad<string>()
  const led = cache.getOrRefill('key', load.loader)
  const lost = new Promise((resolve) => cache.on('lease-lost', resolve))
  const signal = await load.started
  await server.command('DEL', lease())
  expect(await lost).toEqual({ key: 'key' })
  expect(signal.reason).toMatchObject({ code: 'LOCK_LOST' })
  expect(await server.command('EXISTS', lease())).toBe(0)
  load.gate.resolve('value')
  expect(await led).toBe('value')
  await settled(cache)
  expect(await server.command('EXISTS', `${prefix}:{key}`)).toBe(0)
})
