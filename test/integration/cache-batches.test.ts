import { describe, expect, test } from 'vitest'
import { cacheLab, gatedLoad, settled, warmUp } from '../support/cache-lab.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'

const lab = cacheLab()

const KEYS = Array.from({ length: 20_000 }, (_, n) => `key ${n}`)

describe('20 000 keys at once', () => {
  test.each<[string, object]>([
    ['with memory', {}],
    ['without', { memory: false }],
  ])(
    'in one call, %s: all are stored, and Redis is taken for healthy',
    async (_how, options) => {
      const cache = lab.cache({ ...options, memory: 'memory' in options ? false : { maxEntries: 100_000 } })
      await warmUp(lab.redis, cache)
      const values = await cache.getOrRefillMany(KEYS, (keys) => new Map(keys.map((key) => [key, { key }])))
      expect(values.size).toBe(KEYS.length)
      await settled(cache)
      expect(await lab.redis.command('DBSIZE')).toBe(KEYS.length + 1)
      expect(cache.stats().redis[0]).toMatchObject({ breaker: 'closed', errors: 0 })
      const again = await cache.getOrRefillMany(KEYS, () => expect.unreachable())
      expect(again.get('key 19999')).toEqual({ key: 'key 19999' })
      expect(lab.errors).toEqual([])
    },
    60_000,
  )

  test('in one tick: all are stored, by far fewer commands', async () => {
    const cache = lab.cache({ memory: false })
    await warmUp(lab.redis, cache)
    const before = await commands()
    await Promise.all(KEYS.map((key) => cache.getOrRefill(key, () => key)))
    await settled(cache)
    expect(await lab.redis.command('DBSIZE')).toBe(KEYS.length + 1)
    expect((await commands()) - before).toBeLessThan(KEYS.length / 10)
    expect(cache.stats().redis[0]).toMatchObject({ breaker: 'closed', errors: 0 })
  }, 60_000)

  test('whose load takes longer than their leases: these are extended together, and none is lost', async () => {
    const cache = lab.cache({ memory: false, lockTtl: 1500 })
    await warmUp(lab.redis, cache)
    const [begun, gate] = [deferred<void>(), deferred<void>()]
    const keys = KEYS.slice(0, 5000)
    const call = cache.getOrRefillMany(keys, async (asked) => {
      begun.resolve()
      await gate.promise
      return new Map(asked.map((key) => [key, key]))
    })
    await begun.promise
    const before = await commands()
    const started = performance.now()
    await eventually('their time is over', () => performance.now() - started > 2000)
    expect((await commands()) - before).toBeLessThan(keys.length / 10)
    gate.resolve()
    await call
    await settled(cache)
    expect(cache.stats().leasesLost).toBe(0)
    expect(await lab.redis.command('DBSIZE')).toBe(keys.length + 1)
  }, 60_000)
})

/** Calls of scripts and of other commands by clients; those inside of scripts do not count. */
async function commands(): Promise<number> {
  const stats = (await lab.redis.command('INFO', 'commandstats')) as string
  const counted = ['evalsha', 'eval', 'mget', 'get|', 'time'].map((name) => {
    return Number(new RegExp(`cmdstat_${name.replace('|', '')}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  })
  return (counted[0] as number) + (counted[1] as number) + (counted[2] as number)
}

test('an AbortSignal of the batch aborts when the last of its keys is not wanted any more', async () => {
  const cache = lab.cache({ memory: false })
  const controllers = [new AbortController(), new AbortController()]
  const load = deferred<AbortSignal>()
  const calls = controllers.map(({ signal }, n) =>
    cache.getOrRefillMany(
      [`key ${n}`],
      (_keys, context) => {
        load.resolve(context.signal)
        return new Promise<Map<string, string>>(() => {})
      },
      { signal },
    ),
  )
  const signal = await load.promise
  for (const [n, controller] of controllers.entries()) {
    controller.abort(new Error(`left ${n}`))
    await expect(calls[n]).rejects.toThrow(`left ${n}`)
  }
  expect(signal.aborted).toBe(true)
})

describe('what a set that was reported as failed may still do', () => {
  test('nothing to a newer value, though it is carried out once the connection is back', async () => {
    const { startProxy } = await import('../support/tcp-proxy.ts')
    const proxy = await startProxy(lab.redis)
    lab.atEnd(() => proxy.close())
    const cut = lab.cache({ commandTimeout: 300 }, `redis://${proxy.host}:${proxy.port}`)
    const other = lab.cache()
    await cut.set('key', 'first')
    await warmUp(lab.redis, cut, other)
    proxy.pause()
    await expect(cut.set('key', 'failed')).rejects.toThrow()
    await other.set('key', 'newer')
    proxy.resume()
    await eventually('the connection is back', () =>
      cut.set('another', 1).then(
        () => true,
        () => false,
      ),
    )
    expect(await other.get('key')).toBe('newer')
    await eventually('it is seen here, too', async () => (await cut.get('key')) === 'newer')
  })
})

describe('a value that Redis cannot take', () => {
  class Decimal {}

  test('is loaded once a herd in each process, whoever loads', async () => {
    const caches = [lab.cache(), lab.cache()]
    await warmUp(lab.redis, ...caches)
    for (let herd = 0; herd < 3; herd++) {
      let runs = 0
      let now = 0
      let most = 0
      const gate = deferred<void>()
      const load = async (): Promise<unknown> => {
        runs++
        most = Math.max(most, ++now)
        await gate.promise
        now--
        return { price: new Decimal() }
      }
      const calls = caches.flatMap((cache) => Array.from({ length: 50 }, () => cache.getOrRefill('row', load)))
      await eventually('all have asked', () => caches.every((cache) => cache.flights()[0]?.waiters === 50))
      gate.resolve()
      const values = await Promise.all(calls)
      expect(runs).toBeLessThanOrEqual(2)
      expect(new Set(values).size).toBe(runs)
      await Promise.all(caches.map(settled))
    }
    expect(lab.errors.map(({ name }) => name)).toContain('SerializationError')
  })
})

describe('a failure', () => {
  test('of 20 MB is told to others in short', async () => {
    const [leader, waiter] = [lab.cache(), lab.cache()]
    await warmUp(lab.redis, leader, waiter)
    const load = gatedLoad<string>()
    const first = leader.getOrRefill('key', load.loader).catch((error: unknown) => error)
    await load.started
    const second = waiter.getOrRefill('key', () => 'own').catch((error: unknown) => error)
    await eventually('it waits', async () => (await lab.keys()).some((key) => key.endsWith(':waiters')))
    const message = 'x'.repeat(20 * 1024 * 1024)
    load.gate.reject(new Error(message))
    expect(await first).toMatchObject({ message })
    const told = (await second) as Error
    expect(told.name).toBe('RefillFailedError')
    expect(told.message.length).toBeLessThan(10_000)
  })

  test.each<[string, () => unknown]>([
    ['a revoked proxy', revoked],
    [
      'an error whose message throws',
      () => Object.defineProperty(new Error('x'), 'message', { get: () => JSON.parse('{') }),
    ],
    ['an error with a symbol for a name', () => Object.assign(new Error('x'), { name: Symbol('n') })],
  ])('that is %s goes to its caller, and ends its lease', async (_what, make) => {
    const [leader, other] = [lab.cache({ lockTtl: 60_000 }), lab.cache()]
    const reason = make()
    const [outcome] = await Promise.allSettled([leader.getOrRefill('key', () => Promise.reject(reason))])
    expect(outcome.status === 'rejected' && outcome.reason === reason).toBe(true)
    await settled(leader) // Redis may learn of it later than its caller
    expect(await other.getOrRefill('key', () => 'next')).toBe('next')
  })
})

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

test('waitUntil is handed what is still to be stored when the callers have their answer', async () => {
  const works: Promise<unknown>[] = []
  const cache = lab.cache({ memory: false, waitUntil: (work: Promise<unknown>) => void works.push(work) })
  await cache.getOrRefill('key', () => 'value')
  expect(works).toHaveLength(1)
  await works[0]
  expect(await lab.keys()).toEqual([`${lab.prefix}:{key}`])
})
