import { type } from 'arktype'
import { Cluster, Redis } from 'ioredis'
import * as v from 'valibot'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import { RefillFailedError } from '../../src/errors.ts'
import { gatedLoad, settled } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { countLoads } from '../support/loads.ts'
import { startCluster, type RedisCluster } from '../support/redis-cluster.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { uniquePrefix } from '../support/shared-redis.ts'

interface User {
  first: string
}
const user = z.object({ first: z.string() })

let servers: RedisServer[]
let cluster: RedisCluster
beforeAll(async () => {
  ;[cluster, ...servers] = await Promise.all([startCluster(), startRedis(), startRedis()])
}, 60_000)
afterAll(() => Promise.all([cluster, ...servers].map((server) => server.stop())))

const setups: [string, () => (Redis | Cluster)[]][] = [
  ['one Redis', () => [new Redis(servers[0]?.url as string)]],
  ['two instances', () => servers.map(({ url }) => new Redis(url))],
  ['a Cluster', () => [new Cluster([...cluster.addresses])]],
]

/** So many processes are registered for the result of the refill of `user`. */
function othersWait(cache: Cache, count: number): Promise<unknown> {
  const lease = async () => (await cache.examine('user')).lease
  return eventually('others wait', async () => (await lease())?.waitingProcesses === count)
}

describe.each(setups)('a schema, on %s', (_where, connect) => {
  let prefix: string
  const open: { cache: Cache; clients: (Redis | Cluster)[] }[] = []
  beforeEach(() => {
    prefix = uniquePrefix('schema')
  })
  afterEach(async () => {
    for (const { cache, clients } of open.splice(0)) {
      await cache.close()
      for (const client of clients) client.disconnect()
    }
  })

  /** A cache as another process would have it. */
  function process(options: Partial<CacheOptions> = {}): Cache {
    const clients = connect()
    const cache = createCache({ ttl: 60_000, prefix, redis: clients, memory: false, ...options })
    open.push({ cache, clients })
    return cache
  }
  const listening = (...caches: Cache[]): Promise<unknown> =>
    eventually('inboxes are open', async () => {
      for (const cache of caches) await cache.getOrRefill('warm-up', () => ({ first: '' }))
      return caches.every((cache) => cache.stats().redis.every(({ messages }) => messages === 'connected'))
    })

  test.each([
    ['zod', user],
    ['valibot', v.object({ first: v.string() })],
    ['arktype', type({ first: 'string' })],
    [
      'an asynchronous valibot',
      v.objectAsync({
        first: v.pipeAsync(
          v.string(),
          v.checkAsync(async () => true),
        ),
      }),
    ],
  ])('of %s makes a miss of what another program has stored, and it is stored anew', async (_library, schema) => {
    const [old, next] = [process(), process()]
    await old.set('user', { name: 'Ada' })
    await old.set('valid', { first: 'Ada', last: 'Lovelace' })
    const invalid: unknown[] = []
    next.on('invalid', ({ key, issues }) => invalid.push([key, issues.length]))
    expect(await next.get('user', { schema })).toBeUndefined()
    expect(await next.get('valid', { schema })).toEqual({ first: 'Ada', last: 'Lovelace' })
    const loads = countLoads(() => ({ first: 'Ada' }))
    const values = await Promise.all(
      Array.from({ length: 5 }, () => next.getOrRefill('user', loads.loader, { schema })),
    )
    expect(values).toEqual(Array.from({ length: 5 }, () => ({ first: 'Ada' })))
    await settled(next)
    expect(await next.getOrRefill('user', loads.loader, { schema })).toEqual({ first: 'Ada' })
    expect(await next.getOrRefill('valid', loads.loader, { schema })).toEqual({ first: 'Ada', last: 'Lovelace' })
    expect(await old.get('user')).toEqual({ first: 'Ada' })
    expect(loads.runs).toBe(1)
    expect(invalid).toEqual([['user', 1], ['user', 1]]) // prettier-ignore
    expect(next.stats()).toMatchObject({ invalidValues: 2, misses: 1, errors: 0 })
  })

  test('leaves what it refuses to those for whom it is valid, until a refill has succeeded', async () => {
    const [old, next] = [process(), process({ schema: user })]
    await old.set('user', { name: 'Ada' })
    const failing = next.getOrRefill('user', () => Promise.reject(new Error('down')))
    await expect(failing).rejects.toThrow('down')
    await settled(next)
    expect(await old.get('user')).toEqual({ name: 'Ada' })
  })

  test('does not let a stale value be served, or a loader see it', async () => {
    const windows = { ttl: 1, staleWhileRevalidate: 60_000, staleIfError: 60_000 }
    const [old, next] = [process(windows), process({ ...windows, schema: user })]
    await listening(old, next)
    await old.set('user', { name: 'Ada' })
    await eventually('it is stale', async () => (await old.get('user')) === undefined)
    await expect(next.getOrRefill('user', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
    const seen: unknown[] = []
    const load = ({ stale }: { stale: unknown }): User => (seen.push(stale), { first: 'Ada' })
    expect(await next.getOrRefill('user', load)).toEqual({ first: 'Ada' })
    expect(seen).toEqual([undefined])
  })

  test('holds for what a process is sent that waits: it loads for itself', async () => {
    const [old, next] = [process(), process({ schema: user })]
    await listening(old, next)
    const load = gatedLoad<unknown>()
    const first = old.getOrRefill('user', load.loader)
    await load.started
    const second = next.getOrRefill('user', () => ({ first: 'Ada' }))
    await othersWait(old, 1)
    load.gate.resolve({ name: 'Ada' })
    expect(await first).toEqual({ name: 'Ada' })
    expect(await second).toEqual({ first: 'Ada' })
    expect(next.stats().invalidValues).toBeGreaterThan(0)
  })

  test('a loader whose value is not valid fails for those who wait in other processes, too', async () => {
    const [one, other] = [process({ schema: user }), process({ schema: user })]
    await listening(one, other)
    const load = gatedLoad<User>()
    const first = one.getOrRefill('user', load.loader)
    await load.started
    const second = other.getOrRefill('user', () => ({ first: 'unused' }))
    const outcomes = Promise.allSettled([first, second])
    await othersWait(one, 1)
    load.gate.resolve({ name: 'Ada' } as unknown as User)
    const [here, there] = (await outcomes) as [PromiseRejectedResult, PromiseRejectedResult]
    expect(here.reason).toMatchObject({ code: 'INVALID_VALUE', issues: [{ path: ['first'] }] })
    expect(there.reason).toBeInstanceOf(RefillFailedError)
    expect(there.reason.remoteName).toBe('InvalidValueError')
  })

  test('one load is enough where many processes refuse a value, also one too large for a message that lives shorter', async () => {
    const old = process()
    const fleet = Array.from({ length: 4 }, () => process({ schema: user, ttl: 10_000 }))
    await listening(...fleet)
    await old.set('user', { name: 'Ada' })
    const large = { first: 'x'.repeat(100_000) }
    const loads = countLoads(async () => {
      await othersWait(fleet[0] as Cache, fleet.length - 1)
      return large
    })
    const values = await Promise.all(fleet.map((cache) => cache.getOrRefill('user', loads.loader)))
    expect(values).toEqual(fleet.map(() => large))
    expect(loads.runs).toBe(1)
  })

  test('getOrRefillMany asks about each value', async () => {
    const [old, next] = [process(), process()]
    await old.set('a', { name: 'Ada' })
    await old.set('b', { first: 'Bob' })
    const asked: string[] = []
    const load = (keys: readonly string[]): Map<string, unknown> => {
      asked.push(...keys)
      return new Map(keys.filter((key) => key !== 'c').map((key) => [key, { first: key }]))
    }
    const values = await next.getOrRefillMany(['a', 'b', 'c'], load, { schema: user })
    expect(values).toEqual(new Map([['a', { first: 'a' }], ['b', { first: 'Bob' }]])) // prettier-ignore
    expect(asked).toEqual(['a', 'c'])
  })

  test('is asked where plain reads go ahead, too: one event, one load', async () => {
    const [old, next] = [process(), process({ schema: user })]
    for (let n = 0; n < 100; n++) await next.getOrRefill('warm', () => ({ first: 'Ada' })) // hits are the rule now
    await old.set('user', { name: 'Ada' })
    const loads = countLoads(() => ({ first: 'Ada' }))
    const values = await Promise.all(Array.from({ length: 5 }, () => next.getOrRefill('user', loads.loader)))
    expect(values).toEqual(Array.from({ length: 5 }, () => ({ first: 'Ada' })))
    expect(next.stats()).toMatchObject({ invalidValues: 1 })
    expect(loads.runs).toBe(1)
    await settled(next)
    for (let n = 0; n < 100; n++) expect(await next.getOrRefill('user', loads.loader)).toEqual({ first: 'Ada' })
    expect(loads.runs).toBe(1)
  })

  test('memory keeps what was found valid, and is not asked again', async () => {
    const [old, next] = [process(), process({ memory: {} })]
    let asked = 0
    const counting = z.object({ first: z.string() }).refine(() => ++asked > 0)
    await old.set('user', { first: 'Ada' })
    await listening(next)
    for (let n = 0; n < 3; n++) {
      expect(await next.getOrRefill('user', () => ({ first: 'new' }), { schema: counting })).toEqual({ first: 'Ada' })
    }
    expect(asked).toBe(1)
  })
})
