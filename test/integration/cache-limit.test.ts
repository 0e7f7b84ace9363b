import { describe, expect, test, vi } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { OverloadedError } from '../../src/errors.ts'
import { claimInLimit } from '../../src/redis/scripts/claim.ts'
import { settle } from '../../src/redis/scripts/settle.ts'
import { slots } from '../../src/redis/scripts/slots.ts'
import { cacheLab, settled, timed, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { gatedLoads } from '../support/gated-loads.ts'
import { addressOf, connectResp } from '../support/resp.ts'

const lab = cacheLab()
const KEYS = Array.from({ length: 60 }, (_, n) => `key ${n}`)
/** So long that nothing but messages can be what ends a wait in these tests. */
const LOCK_TTL = 30_000

/** Caches as in several processes that share a limit. */
async function limited(count: number, options: Parameters<typeof lab.cache>[0] = {}): Promise<[Cache, Cache, Cache]> {
  const make = (): Cache => lab.cache({ maxLoads: 1, lockTtl: LOCK_TTL, ...options })
  const caches = Array.from({ length: count }, make)
  await warmUp(lab.redis, ...caches)
  await Promise.all(caches.map(settled))
  return caches as [Cache, Cache, Cache]
}

const slotKey = (): string => `${lab.prefix}:slots:{${lab.prefix}}`
const held = async (): Promise<number> => Number(await lab.redis.command('ZCARD', slotKey()))
const inLine = async (): Promise<number> => Number(await lab.redis.command('ZCARD', `${slotKey()}:line`))
const lines = (count: number): Promise<boolean> =>
  eventually('they stand in line', async () => (await inLine()) === count)

describe('maxLoads over several processes', () => {
  test('never are more loads under way, each key is loaded once, and nothing is left in Redis', async () => {
    const caches = await limited(3, { maxLoads: 4 })
    const loads = gatedLoads()
    const answers = caches.flatMap((cache) => KEYS.map((key) => cache.getOrRefill(key, loads.loader)))
    await eventually('slots are taken', () => loads.running.length === 4)
    while (loads.begun < KEYS.length) {
      const key = loads.running[Math.floor(loads.running.length / 2)] as string
      loads.end(key)
      await eventually('the next begins', () => loads.running.length === 4, { every: 1 })
    }
    loads.endAll()
    expect(new Set(await Promise.all(answers))).toEqual(new Set(KEYS.map((key) => `value of ${key}`)))
    expect([loads.most, loads.begun]).toEqual([4, KEYS.length])
    await Promise.all(caches.map(settled))
    await eventually('slots are free', async () => (await held()) === 0)
    expect(await inLine()).toBe(0)
    expect(lab.errors).toEqual([])
  })

  test('a slot is taken with the claim, and given back by a command of its own', async () => {
    const redis = lab.client()
    const cache = lab.cache({ redis, maxLoads: 5 })
    await warmUp(lab.redis, cache)
    await cache.getOrRefill('another', () => 'value') // all scripts are known
    await settled(cache)
    await eventually('slots are free', async () => (await held()) === 0)
    const send = vi.spyOn(redis, 'sendCommand')
    const sent = (): unknown[] => send.mock.calls.map(([{ args }]) => args[0])
    await cache.getOrRefill('key', () => {
      expect(sent()).toEqual([claimInLimit.sha])
      return 'value'
    })
    await settled(cache)
    expect(sent()).toEqual([claimInLimit.sha, slots.sha, settle.sha])
  })

  test('a slot is handed on by a message; those who wait send nothing', async () => {
    const [one, other] = await limited(2)
    const loads = gatedLoads()
    const first = one.getOrRefill('first', loads.loader)
    await eventually('it runs', () => loads.running.length === 1)
    const second = other.getOrRefill('second', loads.loader)
    await lines(1)
    const before = await commands()
    await new Promise((resolve) => setTimeout(resolve, 700)) // nothing is to happen in this time
    expect((await commands()) - before).toBeLessThanOrEqual(2) // the INFO of this test
    const { took } = await timed(async () => {
      loads.end('first')
      await eventually('the second runs', () => loads.running.includes('second'), { every: 1 })
    })
    expect(took).toBeLessThan(500)
    loads.endAll()
    expect(await Promise.all([first, second])).toEqual(['value of first', 'value of second'])
  })

  test('the slot of one process goes to those of others in the order in which they came', async () => {
    const [one, other] = await limited(2)
    const loads = gatedLoads()
    const answers: Promise<string>[] = []
    for (const [i, key] of ['a', 'b', 'c', 'd'].entries()) {
      answers.push((i % 2 === 0 ? one : other).getOrRefill(key, loads.loader))
      await (i === 0 ? eventually('it runs', () => loads.running.length === 1) : lines(i))
    }
    for (const key of ['a', 'b', 'c', 'd']) {
      await eventually('it runs', () => loads.running[0] === key)
      loads.end(key)
    }
    await Promise.all(answers)
    expect(loads.most).toBe(1)
  })

  test.each(['load', 'throw'] as const)(
    'a wait in line ends after waitTimeout, also for those who wait for that load elsewhere (%s)',
    async (onWaitTimeout) => {
      const caches = await limited(3, { onWaitTimeout })
      const [holder, leader, waiter] = caches
      const loads = gatedLoads()
      const running = holder.getOrRefill('running', loads.loader)
      await eventually('it runs', () => loads.running.length === 1)
      const calls = [leader, waiter].map((cache) => cache.getOrRefill('key', loads.loader, { waitTimeout: 300 }))
      for (const call of await Promise.allSettled(calls)) {
        expect(call).toMatchObject({ status: 'rejected', reason: expect.any(OverloadedError) })
      }
      expect(await inLine()).toBe(0)
      loads.endAll()
      await running
      expect(await waiter.getOrRefill('key', () => 'now')).toBe('now')
      expect(loads.most).toBe(1)
    },
  )

  test.each(['staleWhileRevalidate', 'staleIfError'])(
    'a stale value in Redis is served at once: %s',
    async (window) => {
      const [one, other] = await limited(2, { memory: false, ttl: 1, [window]: 60_000 })
      await one.getOrRefill('key', () => 'old')
      await settled(one)
      const loads = gatedLoads()
      const running = one.getOrRefill('running', loads.loader)
      await eventually('it runs', () => loads.running.length === 1)
      expect(await other.getOrRefill('key', () => 'new')).toBe('old')
      await lines(1)
      expect(await one.getOrRefill('key', () => 'new')).toBe('old') // the refill of another process is in line
      expect(await other.getOrRefill('key', () => 'new')).toBe('old')
      loads.endAll()
      await running
      await settled(other)
      expect(await lab.redis.command('GET', `${lab.prefix}:{key}`)).toContain('new')
    },
  )

  test('a caller that leaves gives its place up, and the cache that closes its slots', async () => {
    const [one, other, third] = await limited(3)
    const loads = gatedLoads()
    const first = one.getOrRefill('first', loads.loader)
    await eventually('it runs', () => loads.running.length === 1)
    const caller = new AbortController()
    const left = other.getOrRefill('left', loads.loader, { signal: caller.signal })
    await lines(1)
    const next = third.getOrRefill('next', () => 'value')
    await lines(2)
    caller.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    await lines(1)
    await Promise.all([one.close(), expect(first).rejects.toMatchObject({ code: 'CLOSED' })])
    expect(await next).toBe('value')
    expect(loads.begun).toBe(1)
  })

  test('a batch holds one slot', async () => {
    const [one, other] = await limited(2, { maxLoads: 2 })
    const loads = gatedLoads()
    const batch = one.getOrRefillMany(KEYS, async (keys, { signal }) => {
      await loads.loader({ key: 'batch', signal })
      return new Map(keys.map((key) => [key, key]))
    })
    await eventually('it runs', () => loads.running.length === 1)
    expect(await held()).toBe(1)
    const answers = ['a', 'b'].map((key) => other.getOrRefill(key, loads.loader))
    await lines(1)
    expect(loads.running).toEqual(['batch', 'a'])
    loads.end('batch')
    await eventually('the next runs', () => loads.running.includes('b'))
    loads.endAll()
    expect((await batch).size).toBe(KEYS.length)
    await Promise.all(answers)
  })

  test('loads that are not shared take slots, too', async () => {
    const [one, other] = await limited(2, { maxLoads: 2 })
    const loads = gatedLoads()
    await one.getOrRefill('key', ({ doNotShare }) => doNotShare())
    await settled(one)
    const answers = [one, other].flatMap((cache) => [1, 2, 3].map(() => cache.getOrRefill('key', loads.loader)))
    await eventually('two run', () => loads.running.length === 2)
    await lines(4)
    loads.endAll()
    await Promise.all(answers)
    expect([loads.most, loads.begun]).toEqual([2, 6])
  })

  test('those who stop waiting for another process, to load themselves, need a slot for it', async () => {
    const [one, other] = await limited(2)
    const loads = gatedLoads()
    const first = one.getOrRefill('key', loads.loader)
    await eventually('it runs', () => loads.running.length === 1)
    await expect(other.getOrRefill('key', loads.loader, { waitTimeout: 100 })).rejects.toThrow(OverloadedError)
    expect(loads.begun).toBe(1)
    loads.endAll()
    await first
    const [free, second] = await limited(2, { maxLoads: 2, prefix: `${lab.prefix}-2` })
    const own = gatedLoads()
    const led = free.getOrRefill('key', own.loader)
    await eventually('it runs', () => own.running.length === 1)
    const alone = second.getOrRefill('key', () => 'alone', { waitTimeout: 100 })
    expect(await alone).toBe('alone')
    own.endAll()
    await led
  })
})

describe('a loader that asks the same cache', () => {
  test('loads in its slot, also what stands in line in another process', async () => {
    const [one, other] = await limited(2)
    const loads = gatedLoads()
    const outer = one.getOrRefill('outer', async (context) => {
      await loads.loader(context)
      return `${await one.getOrRefill('fresh', () => 'fresh')} ${await one.getOrRefill('inner', () => 'here')}`
    })
    await eventually('it runs', () => loads.running.length === 1)
    const inner = other.getOrRefill('inner', () => 'there')
    await lines(1)
    loads.end('outer')
    expect(await outer).toBe('fresh there')
    expect(await inner).toBe('there')
  })

  test('loads in its slot what a batch in another process is to load', async () => {
    const [one, other] = await limited(2)
    const loads = gatedLoads()
    const outer = one.getOrRefill('outer', async (context) => {
      await loads.loader(context)
      return one.getOrRefill('a', () => 'here')
    })
    await eventually('it runs', () => loads.running.length === 1)
    const batch = other.getOrRefillMany(['a', 'b'], (keys) => new Map(keys.map((key) => [key, 'there'])))
    await lines(1)
    loads.end('outer')
    expect(await outer).toBe('there')
    expect((await batch).size).toBe(2)
  })
})

describe('when messages or what stands in Redis are lost', () => {
  test('slots and line deleted: what runs counts again, and those in line line up again', async () => {
    const [one, other] = await limited(2, { lockTtl: 600 })
    const loads = gatedLoads()
    const first = one.getOrRefill('first', loads.loader)
    await eventually('it runs', () => loads.running.length === 1)
    const others = ['a', 'b'].map((key) => other.getOrRefill(key, loads.loader))
    await lines(2)
    await lab.redis.command('DEL', slotKey(), `${slotKey()}:line`)
    await eventually('the first counts', async () => (await held()) === 1)
    await lines(2)
    loads.endAll()
    await Promise.all([first, ...others])
    expect(loads.most).toBe(1)
  })

  test('the line deleted while its process has slots of its own: it is found out within lockTtl', async () => {
    const [cache] = await limited(1, { lockTtl: 600 })
    const loads = gatedLoads()
    const first = cache.getOrRefill('first', loads.loader)
    await eventually('it runs', () => loads.running.length === 1)
    const second = cache.getOrRefill('second', loads.loader)
    await lines(1)
    await lab.redis.command('DEL', `${slotKey()}:line`)
    await lines(1)
    loads.endAll()
    await Promise.all([first, second])
  })

  test('the subscriber killed while a slot is handed on: the next is found when it is back', async () => {
    const [one, other] = await limited(2)
    const loads = gatedLoads()
    const first = one.getOrRefill('first', loads.loader)
    await eventually('it runs', () => loads.running.length === 1)
    const second = other.getOrRefill('second', () => 'value')
    await lines(1)
    await lab.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    loads.endAll()
    expect(await first).toBe('value of first')
    const { value, took } = await timed(() => second)
    expect(value).toBe('value')
    expect(took).toBeLessThan(5000)
  })

  test('a slot that is handed to a token which nobody knows is given back at once', async () => {
    const [one, other] = await limited(2)
    const loads = gatedLoads()
    const first = one.getOrRefill('first', loads.loader)
    await eventually('it runs', () => loads.running.length === 1)
    const [token] = (await lab.redis.command('ZRANGE', slotKey(), '0', '0')) as string[]
    await lab.redis.command('ZADD', `${slotKey()}:line`, '1', `${token?.split(':').slice(0, 2).join(':')}:ghost`)
    const second = other.getOrRefill('second', () => 'value')
    await lines(2)
    loads.endAll()
    await first
    const { value, took } = await timed(() => second)
    expect(value).toBe('value')
    expect(took).toBeLessThan(1000)
  })

  test('without a subscriber those who wait ask from time to time', async () => {
    const client = lab.client()
    const cache = lab.cache({ redis: client, maxLoads: 1, lockTtl: 1000 })
    const address = addressOf(lab.redis.url)
    const stranger = await connectResp(address)
    lab.atEnd(async () => stranger.close())
    client.duplicate = () => {
      throw new Error('no second connection')
    }
    const now = Number(((await lab.redis.command('TIME')) as string[])[0]) * 1000
    await lab.redis.command('ZADD', slotKey(), String(now + 1500), 'herdlock:stranger:1')
    expect(await cache.getOrRefill('key', () => 'value')).toBe('value')
  })
})

async function commands(): Promise<number> {
  const stats = String(await lab.redis.command('INFO', 'stats'))
  return Number(/total_commands_processed:(\d+)/.exec(stats)?.[1])
}
