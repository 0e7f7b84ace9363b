import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { insideOf } from '../../src/cache/watch/inside.ts'
import type { Cache } from '../../src/cache/cache.ts'
import type { Greeting, ProcessReport, Sample, Update } from '../../src/dashboard/report.ts'
import { joinFleet, joinWith } from '../../src/dashboard/fleet/join-fleet.ts'
import { systemRandom } from '../../src/random.ts'
import { gatedLoad } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { elsewhere, joined } from './support/fleet.ts'
import { ask, served, watch, type Stream } from './support/served.ts'

/** Until `isEnough`, all that other processes tell a viewer of the first cache. */
async function reports(viewer: Stream, isEnough: (all: readonly ProcessReport[]) => boolean): Promise<ProcessReport[]> {
  const all: ProcessReport[] = []
  await eventually('enough was told', async () => {
    const { caches } = await viewer.next<Update>('update')
    all.push(...(caches[0]?.fleet?.reports ?? []))
    return isEnough(all)
  })
  return all
}

const sumOf = (all: readonly ProcessReport[], process: string, name: 'hits' | 'refills' | 'misses'): number =>
  all.filter((each) => each.process === process).reduce((sum, { sample }) => sum + (sample?.[name] ?? 0), 0)

const idOf = (cache: Cache): string => insideOf(cache).fleet?.address ?? ''

/** A page of one cache on the shared Redis. */
async function page(prefix: string, options: Parameters<typeof served>[0] = {}) {
  const redis = new Redis(sharedRedis().url)
  onTestFinished(() => redis.disconnect())
  return served({ refresh: 250, ...options, cacheOptions: { redis, prefix, ...options?.cacheOptions } })
}

describe('the fleet', () => {
  test('is told of by each process: calls, loads and who did them, flights, slots, failures', async () => {
    const prefix = uniquePrefix('fleet')
    const [one, two] = [elsewhere({ prefix, maxLoads: 5 }), elsewhere({ prefix })]
    joined(one, 'host-1:1')
    joined(two, 'host-2:2')
    await Promise.all([one.set('a', 1), two.set('b', 1)])
    const { url, cache } = await page(prefix)
    await cache.set('c', 1)
    const viewer = await watch(url)
    await reports(viewer, (all) => new Set(all.map(({ process }) => process)).size === 2)

    const load = gatedLoad<number>()
    const slow = one.getOrRefill('slow', load.loader)
    await load.started
    for (let i = 0; i < 20; i++) await one.getOrRefill('a', () => 0)
    for (let i = 0; i < 7; i++) await two.getOrRefill('b', () => 0)
    await two.getOrRefill('bad', () => Promise.reject(new Error('no origin'))).catch(() => {})
    const all = await reports(
      viewer,
      (some) =>
        sumOf(some, 'host-1:1', 'hits') >= 20 &&
        sumOf(some, 'host-2:2', 'hits') >= 7 &&
        some.some(({ failures }) => failures.length > 0) &&
        some.some(({ flights }) => flights.count > 0),
    )
    expect(sumOf(all, 'host-1:1', 'hits')).toBe(20)
    expect(sumOf(all, 'host-2:2', 'hits')).toBe(7)
    const busy = all.find(({ flights }) => flights.count > 0)
    expect(busy).toMatchObject({
      process: 'host-1:1',
      flights: { rows: [{ key: 'slow', waiters: 1 }] },
      stats: { limit: { maxLoads: 5, running: 1, waiting: 0 } },
    })
    expect(all.find(({ failures }) => failures.length > 0)).toMatchObject({
      process: 'host-2:2',
      failures: [{ kind: 'refill-failed', key: 'bad', message: 'Error: no origin' }],
    })
    load.gate.resolve(1)
    await slow
    const ended = await reports(viewer, (some) => some.some(({ refills }) => refills.length > 0))
    expect(ended.find(({ refills }) => refills.length > 0)).toMatchObject({
      process: 'host-1:1',
      refills: [{ key: 'slow' }],
    })

    const second = await watch(url)
    const { caches } = await second.next<Greeting>('greeting')
    const known = caches[0]?.fleet.find(({ process }) => process === 'host-2:2')
    expect(known?.failures).toHaveLength(1)
    expect(known?.samples.reduce((sum, { hits }) => sum + hits, 0)).toBe(7)
    viewer.leave()
    second.leave()
  })

  test('is not told of, and has no timer, while nobody looks; what is said by strangers is ignored', async () => {
    const prefix = uniquePrefix('fleet')
    const clock = new FakeClock()
    const one = elsewhere({ prefix })
    const member = joined(one, 'host-1:1', clock)
    await one.set('a', 1)
    const { command } = sharedRedis()
    const head = '-'.repeat(22)
    const channel = `${prefix}:backplane`
    await eventually(
      'the cache listens',
      async () => Number(((await command('PUBSUB', 'NUMSUB', channel)) as [string, number])[1]) === 1,
    )
    for (const text of [
      '',
      'null',
      '{"version":2}',
      '{"version":1,"to":5,"path":"","every":1}',
      '{"version":1,"to":"x","path":"","every":-1}',
    ])
      await command('PUBLISH', channel, `${head}w${text}`)
    await one.set('b', 1)
    expect(clock.pendingTimers).toBe(0)

    const { url } = await page(prefix)
    const viewer = await watch(url)
    await eventually('it is called', () => clock.pendingTimers === 1)
    await clock.advance(1000)
    const [report] = await reports(viewer, (all) => all.length > 0)
    expect(report).toMatchObject({ process: 'host-1:1', every: 1000, stats: { entries: 2 } })
    // A report is to be one: what else comes to the same place is left alone.
    const id = (await watch(url).then((other) => other.next<Greeting>('greeting'))).caches[0]?.id
    await command('PUBLISH', `herdlock:inbox:${id}`, '5:fleet{"version":1}')
    await command('PUBLISH', `herdlock:inbox:${id}`, '5:fleetno JSON')
    await viewer.next<Update>('update')

    viewer.leave()
    await clock.advance(20_000)
    await eventually('it rests', () => clock.pendingTimers === 0)
    member.close()
  })

  test('is as wide as the namespace that is shown', async () => {
    const prefix = uniquePrefix('fleet')
    const one = elsewhere({ prefix })
    joined(one, 'whole')
    joined(one.namespace('shop'), 'shop')
    await one.set('a', 1)
    const { url, cache } = await page(prefix)
    await cache.set('b', 1)
    const shop = await served({ refresh: 250, caches: [cache.namespace('shop')] })
    const viewer = await watch(shop.url)
    await eventually('it is told of', async () => {
      const { caches } = await viewer.next<Update>('update')
      const names = caches[0]?.fleet?.reports.map(({ process }) => process) ?? []
      expect(names).not.toContain('whole')
      return names.includes('shop')
    })
    viewer.leave()
    expect(url).not.toBe(shop.url)
  })

  test('is left out where the option says so, and where there is no Redis', async () => {
    const prefix = uniquePrefix('fleet')
    joinFleet({ caches: [elsewhere({ prefix })] })
    const { url } = await page(prefix, { fleet: false })
    const alone = await served({ refresh: 250 })
    for (const each of [url, alone.url]) {
      const viewer = await watch(each)
      expect((await viewer.next<Update>('update')).caches[0]).not.toHaveProperty('fleet')
      viewer.leave()
    }
    expect(() => joinFleet({ caches: [] })).toThrow('caches')
    expect(() => joinFleet({ caches: [{} as never] })).toThrow('caches.0')
  })
})

describe('history', () => {
  test('is in Redis while processes write it: of each and of all, and after they have gone', async () => {
    const prefix = uniquePrefix('history')
    const clock = new FakeClock(Math.floor(Date.now() / 10_000 - 30) * 10_000)
    const [one, two] = [elsewhere({ prefix }), elsewhere({ prefix })]
    const members = [one, two].map((cache) => {
      const doors = { clock, random: systemRandom, history: true }
      return joinWith([cache], doors)
    })
    await Promise.all([one.set('a', 1), two.set('a', 1)])
    for (let i = 0; i < 3; i++) await one.getOrRefill('a', () => 0)
    for (let i = 0; i < 4; i++) await two.getOrRefill('a', () => 0)
    await clock.advance(12_000)
    await one.getOrRefill('b', () => 0)
    await clock.advance(10_000)
    const { command } = sharedRedis()
    await eventually(
      'two steps are written',
      async () => ((await command('KEYS', `${prefix}:history:*`)) as string[]).length === 2,
    )
    await clock.advance(60_000) // quiet: there is nothing to write
    for (const member of members) member.close()
    expect(clock.pendingTimers).toBe(0)
    expect(await command('KEYS', `${prefix}:history:*`)).toHaveLength(2)
    const [key] = (await command('KEYS', `${prefix}:history:*`)) as [string]
    expect(await command('PTTL', key)).toBeGreaterThan(3_500_000)

    const { url, cache } = await page(prefix, { history: true })
    await cache.set('a', 1)
    const viewer = await watch(url)
    expect(await viewer.next<Greeting>('greeting')).toMatchObject({ history: true })
    viewer.leave()
    const read = async (query: string) => {
      const { samples } = JSON.parse((await ask(`${url}history?${query}`)).text) as { samples: Sample[] }
      return samples.map(({ hits, misses, refills, span }) => ({ hits, misses, refills, span }))
    }
    expect(await read('cache=main')).toEqual([
      { hits: 7, misses: 0, refills: 0, span: 10_000 },
      { hits: 0, misses: 1, refills: 1, span: 10_000 },
    ])
    expect(await read(`cache=main&process=${idOf(two)}`)).toEqual([{ hits: 4, misses: 0, refills: 0, span: 10_000 }])
    expect(await read('cache=main&process=unknown')).toEqual([])
    expect(await ask(`${url}history?cache=other`)).toMatchObject({ status: 404 })
  })

  test('is not kept by default', async () => {
    const { url } = await page(uniquePrefix('history'))
    expect(await ask(`${url}history?cache=main`)).toMatchObject({ status: 404 })
    const clock = new FakeClock()
    joined(elsewhere({ prefix: uniquePrefix('history') }), 'host:1', clock)
    expect(clock.pendingTimers).toBe(0)
  })
})
