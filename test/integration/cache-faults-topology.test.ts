import { Cluster, Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import { gatedLoad, settled, timed } from '../support/cache-lab.ts'
import { ProducerLostError } from '../../src/errors.ts'
import { eventually } from '../support/eventually.ts'
import { countLoads } from '../support/loads.ts'
import { iterate, rest, shareStream } from '../support/read-stream.ts'
import { startCluster, type RedisCluster } from '../support/redis-cluster.ts'
import type { RedisServer } from '../support/redis-server.ts'
import { startSentinel } from '../support/redis-sentinel.ts'
import { toldProducer } from '../support/told-producer.ts'

const DEADLINE = 500
const SLACK = 300
const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

function cacheOn(client: Redis | Cluster, options: Partial<CacheOptions> = {}): { cache: Cache; errors: unknown[] } {
  client.on('error', () => {})
  const cache = createCache({ ttl: 60_000, commandTimeout: DEADLINE, redis: client, prefix: 'topology', ...options })
  const errors: unknown[] = []
  cache.on('error', ({ error }) => errors.push(error))
  ends.push(() => client.disconnect(), cache.close)
  return { cache, errors }
}

/** Asks for key after key until `until` holds: every answer is right and comes within two deadlines. */
async function askUntil(cache: Cache, name: string, until: () => Promise<boolean>): Promise<void> {
  let asked = 0
  await eventually(
    name,
    async () => {
      const key = `${name} ${asked++}`
      const { value, took } = await timed(() => cache.getOrRefill(key, () => key))
      expect(value).toBe(key)
      expect(took).toBeLessThan(2 * DEADLINE + SLACK)
      return until()
    },
    { within: 15_000, every: 50 },
  )
}

/** Whether what one cache loads now is found by the other, in Redis. */
async function isShared(one: Cache, other: Cache): Promise<boolean> {
  const key = `shared ${performance.now()}`
  await one.getOrRefill(key, () => 'value')
  await settled(one)
  return (await other.get(key)) === 'value'
}

/** Begins to move the slot of `key` to another master; `end` moves it, with what is in it. */
async function startMoving(cluster: RedisCluster, key: string): Promise<{ end(): Promise<void> }> {
  const source = await cluster.masterOf(key)
  const target = (await cluster.masters()).find((master) => master !== source) as RedisServer
  const slot = String(await source.command('CLUSTER', 'KEYSLOT', key))
  const [sourceId, targetId] = [await source.command('CLUSTER', 'MYID'), await target.command('CLUSTER', 'MYID')]
  await target.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(sourceId))
  await source.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(targetId))
  return {
    async end() {
      const keys = (await source.command('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[]
      if (keys.length > 0) {
        await source.command('MIGRATE', target.host, target.port, '', 0, 5000, 'REPLACE', 'KEYS', ...keys)
      }
      await target.command('CLUSTER', 'SETSLOT', slot, 'NODE', String(targetId))
      await source.command('CLUSTER', 'SETSLOT', slot, 'NODE', String(targetId))
    },
  }
}

describe('a Cluster', () => {
  test('serves hundreds of keys of all slots, waits, invalidations and tags; and survives a master frozen, then killed', async () => {
    const cluster = await startCluster()
    ends.push(cluster.stop)
    const [one, other] = [
      cacheOn(new Cluster(cluster.addresses)),
      cacheOn(new Cluster(cluster.addresses), { memory: false }),
    ]

    const keys = Array.from({ length: 300 }, (_, i) => `key {${i}} }{`)
    const loads = countLoads((run) => run)
    for (const cache of [one.cache, other.cache]) {
      await Promise.all(keys.map((key) => cache.getOrRefill(key, loads.loader)))
      await settled(cache)
    }
    expect(loads.runs).toBe(300)

    const load = gatedLoad<string>()
    const led = one.cache.getOrRefill('led', load.loader)
    await load.started
    const waited = timed(() => other.cache.getOrRefill('led', () => 'own'))
    await eventually('it waits', () => other.cache.stats().flights === 1)
    load.gate.resolve('led')
    expect([await led, (await waited).value]).toEqual(['led', 'led'])

    await one.cache.invalidate(keys)
    expect(await other.cache.get(keys[7] as string)).toBeUndefined()
    await one.cache.set('tagged', 1, { tags: ['tag'] })
    expect(await other.cache.get('tagged')).toBe(1)
    await other.cache.invalidateTags('tag')
    expect(await other.cache.get('tagged')).toBeUndefined()
    expect([...one.errors, ...other.errors]).toEqual([])

    // While a slot moves, commands on several of its keys are sent on (ASK) and told to come back (TRYAGAIN).
    for (const key of ['moving, stored', 'moving, not stored']) {
      if (key === 'moving, stored') await other.cache.set(key, 'stored')
      const move = await startMoving(cluster, `topology:{${key}}`)
      const { value, took } = await timed(() => other.cache.getOrRefill(key, () => 'loaded'))
      expect(['stored', 'loaded']).toContain(value)
      expect(took).toBeLessThan(2 * DEADLINE + SLACK)
      await move.end()
      const loaded = async (): Promise<boolean> => {
        await other.cache.getOrRefill(key, () => 'loaded')
        await settled(other.cache)
        return (await one.cache.get(key)) !== undefined
      }
      await eventually('the slot has moved', loaded, { within: 10_000 })
    }

    const [victim] = await cluster.masters()
    victim?.pause()
    await askUntil(one.cache, 'frozen', async () => (await cluster.masters()).every((master) => master !== victim))
    await victim?.kill()
    await askUntil(one.cache, 'recovered', () => isShared(one.cache, other.cache))
    for (const error of [...one.errors, ...other.errors]) expect(String(error)).not.toMatch(/CROSSSLOT|TRYAGAIN/)
  }, 60_000)
})

describe('a Sentinel', () => {
  test('promotes a replica: values meanwhile, sharing afterwards', async () => {
    const sentinel = await startSentinel()
    ends.push(sentinel.stop)
    const connect = (): Redis => new Redis({ sentinels: sentinel.addresses, name: sentinel.name })
    const [one, other] = [cacheOn(connect()), cacheOn(connect(), { memory: false })]
    expect(await isShared(one.cache, other.cache)).toBe(true)
    const next = toldProducer<string>()
    const stream = await shareStream(one.cache, other.cache, { onProducerLost: 'resume' }, next.producer)
    const before = await sentinel.master()
    await before.kill()
    stream.told.say('b')
    expect((await stream.own.next()).value).toBe('b')
    next.say('a', 'b', 'c')
    next.end()
    // On from where it is, or not at all.
    const read = await rest(stream.other).catch((error: unknown) => [error])
    expect([['b', 'c'], [expect.any(ProducerLostError)]]).toContainEqual(read)
    stream.told.end()
    expect(await rest(stream.own)).toEqual([])
    await askUntil(one.cache, 'failover', async () => (await sentinel.master()) !== before)
    await askUntil(one.cache, 'recovered', () => isShared(one.cache, other.cache))
    expect(await rest(iterate(other.cache, next.producer))).toEqual(['a', 'b', 'c'])
  }, 60_000)
})
