import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { cacheLab, gatedLoad, settled, warmUp, type GatedLoad } from '../support/cache-lab.ts'
import { startCacheProcesses, type CacheProcess } from '../support/cache-process.ts'
import { eventually } from '../support/eventually.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const lab = cacheLab()
const fresh = (): Promise<unknown> => lab.cache({ memory: false }).get('key')

async function leading(cache: Cache, key = 'key'): Promise<{ load: GatedLoad<string>; call: Promise<string> }> {
  const load = gatedLoad<string>()
  const call = cache.getOrRefill(key, load.loader, { tags: ['tag'] })
  await load.started
  return { load, call }
}

const changes: [
  name: string,
  change: (cache: Cache) => Promise<void>,
  after: string | undefined,
  endsLeases: boolean,
][] = [
  ['invalidate', (cache) => cache.invalidate('key'), undefined, true],
  ['invalidateTags', (cache) => cache.invalidateTags('tag'), undefined, false],
  ['clear', (cache) => cache.clear(), undefined, true],
  ['set', (cache) => cache.set('key', 'set'), 'set', true],
]

describe.each(changes)('%s during a load', (_name, change, after, endsLeases) => {
  test.each(['the same process', 'another process'])(
    'in %s: the old value comes back to nobody but its callers',
    async (where) => {
      const [leader, other] = [lab.cache(), lab.cache()]
      await warmUp(lab.redis, leader, other)
      const { load, call } = await leading(leader)
      await change(where === 'the same process' ? leader : other)

      // Whoever comes from now on loads anew, or gets what was set. (A third process hears of it a moment later.)
      const knowing = where === 'the same process' ? [leader, other] : [other]
      const later = Promise.all(knowing.map((cache) => cache.getOrRefill('key', () => 'new')))
      // A tag ends no lease, for it does not know its keys: there the next load follows upon the old one.
      if (!endsLeases) load.gate.resolve('old')
      for (const value of await later) expect(value).toBe(after ?? 'new')
      load.gate.resolve('old')
      expect(await call).toBe('old')
      await Promise.all([leader, other].map(settled))
      expect(await fresh()).toBe(after ?? 'new')
      await eventually('memory agrees', () =>
        [leader, other].every((cache) => [undefined, after ?? 'new'].includes(cache.peek('key'))),
      )
    },
  )

  test('wakes those who wait for it', async () => {
    const [leader, waiter] = [lab.cache({ lockTtl: 30_000 }), lab.cache({ lockTtl: 30_000 })]
    await warmUp(lab.redis, leader, waiter)
    const { load, call } = await leading(leader)
    const waited = waiter.getOrRefill('key', () => 'own')
    await eventually('it waits', async () => (await lab.keys()).some((key) => key.endsWith(':waiters')))
    const startedAt = performance.now()
    await change(leader)
    if (!endsLeases) load.gate.resolve('old')
    expect(await waited).toBe(after ?? 'own')
    expect(performance.now() - startedAt).toBeLessThan(1000)
    load.gate.resolve('old')
    expect(await call).toBe('old')
  })
})

test('a value that was set is what all processes have, whoever set it last', async () => {
  const [one, other] = [lab.cache(), lab.cache()]
  await warmUp(lab.redis, one, other)
  for (let round = 0; round < 20; round++) {
    await Promise.all([one.set('key', `one ${round}`), other.set('key', `other ${round}`)])
    const stored = await fresh()
    await eventually(
      'all agree',
      async () => (await Promise.all([one, other].map((cache) => cache.get('key')))).every((value) => value === stored),
      { within: 1000 },
    )
  }
})

test('invalidation in another process reaches every process, by real processes', async () => {
  const [one, other] = (await startCacheProcesses(lab, 2)) as [CacheProcess, CacheProcess]
  const old = one.call('getOrRefill', 'key', { until: 'told', value: 'old' })
  await one.next('loading key')
  await other.call('invalidate', 'key')
  expect((await other.call('getOrRefill', 'key', { value: 'new' })).value).toBe('new of run 2')
  one.go('key')
  expect((await old).value).toBe('old of run 1')
  for (const each of [one, other]) {
    expect((await each.call('getOrRefill', 'key')).value).toBe('new of run 2')
  }
})

describe('replies and messages that overtake one another', () => {
  let proxy: TcpProxy
  beforeEach(async () => {
    proxy = await startProxy(lab.redis)
  })
  afterEach(() => proxy.close())

  test('a late wake-up brings no value that was invalidated before the call began', async () => {
    const [leader, waiter] = [lab.cache(), lab.cache({}, `redis://127.0.0.1:${proxy.port}`)]
    await warmUp(lab.redis, leader, waiter)
    await waiter.getOrRefill('marker', () => 1)
    const old = await leading(leader)
    const first = waiter.getOrRefill('key', () => 'own')
    await eventually('it waits', async () => (await lab.keys()).some((key) => key.endsWith(':waiters')))
    const subscription = proxy
      .connections()
      .find(({ commands }) => commands.some(([name]) => /^subscribe$/i.test(name ?? '')))
    subscription?.pause()
    old.load.gate.resolve('old')
    expect(await old.call).toBe('old')
    await settled(leader) // the wake-up with the old value is on its way, and held up

    await waiter.invalidate('key')
    await eventually('the leader has heard of it', () => leader.peek('key') === undefined)
    const next = await leading(leader)
    const second = waiter.getOrRefill('key', () => 'own')
    await eventually('it waits again', async () => (await lab.keys()).some((key) => key.endsWith(':waiters')))
    subscription?.resume()
    await leader.invalidate('marker')
    await eventually('all that was held up has arrived', () => waiter.peek('marker') === undefined)
    next.load.gate.resolve('new')
    expect(await next.call).toBe('new')
    expect(await second).toBe('new')
    expect(['old', 'new']).toContain(await first)
  })

  test('a late reply to set does not put what it set back into memory', async () => {
    const [late, other] = [lab.cache({ commandTimeout: 5000 }, `redis://127.0.0.1:${proxy.port}`), lab.cache()]
    await warmUp(lab.redis, late, other)
    await late.getOrRefill('marker', () => 1)
    const subscribes = /^subscribe$/i
    const main = proxy.connections().find(({ commands }) => !commands.some(([name]) => subscribes.test(name ?? '')))
    proxy.delay(100)
    const set = late.set('key', 'first')
    await eventually('Redis has it, and its reply is under way', async () => (await fresh()) === 'first')
    main?.pause()
    proxy.delay(0)
    await other.set('key', 'second')
    await other.invalidate('marker')
    await eventually('the process has heard of both', () => late.peek('marker') === undefined)
    main?.resume()
    await set
    await eventually('memory agrees with Redis', () => [undefined, 'second'].includes(late.peek('key')), {
      within: 500,
    })
    expect(await late.getOrRefill('key', () => 'loaded')).toBe('second')
  })
})
