import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/index.ts'
import { Locker } from '../../src/lock.ts'
import { cacheLab, gatedLoad, settled, warmUp } from '../support/cache-lab.ts'
import { collectGarbage } from '../support/collect-garbage.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'

const lab = cacheLab()
const scope = new AsyncLocalStorage<string | object>()
const users = ['Ada', 'Grace', 'Mary']

/** What each loader finds when all are asked for in one tick, so that their questions to Redis travel together. */
function ownersSeen(cache: Cache): Promise<unknown[]> {
  return Promise.all(users.map((user) => scope.run(user, () => cache.getOrRefill(user, () => scope.getStore()))))
}

test('a loader runs in the async scope of the caller who began it', async () => {
  const cache = lab.cache({ memory: false })
  await warmUp(lab.redis, cache)
  expect(await ownersSeen(cache)).toEqual(users)
})

test('also where hits are the rule, and a plain read went before', async () => {
  const cache = lab.cache({ memory: false })
  await warmUp(lab.redis, cache)
  await cache.set('hot', 1)
  for (let n = 0; n < 100; n++) await cache.getOrRefill('hot', () => 0)
  await settled(cache)
  expect(await ownersSeen(cache)).toEqual(users)
})

describe.each(['with', 'without'])('%s Redis', (redis) => {
  function aCache(options: { ttl: number; staleWhileRevalidate?: number }): Cache {
    if (redis === 'with') return lab.cache(options)
    const cache = createCache(options)
    onTestFinished(() => cache.close())
    return cache
  }

  test('a loader runs in the scope of its leader, in the foreground and in the background', async () => {
    const cache = aCache({ ttl: 1, staleWhileRevalidate: 60_000 })
    expect(await scope.run('Ada', () => cache.getOrRefill('key', () => scope.getStore()))).toBe('Ada')
    let inBackground: unknown
    const ask = (): Promise<unknown> =>
      cache.getOrRefill('key', ({ background }) => {
        if (background) inBackground = scope.getStore()
        return 'new'
      })
    await expect
      .poll(async () => {
        await scope.run('Grace', ask)
        return inBackground
      })
      .toBe('Grace')
  })

  test('a loader of many runs in the scope of who asked for them', async () => {
    const cache = aCache({ ttl: 1000 })
    const seen = await scope.run('Ada', () =>
      cache.getOrRefillMany(['a', 'b'], (keys) => new Map(keys.map((key) => [key, scope.getStore()]))),
    )
    expect([...seen.values()]).toEqual(['Ada', 'Ada'])
  })

  test('also if others asked in the same tick, and each call for many sees its own', async () => {
    const cache = aCache({ ttl: 1000 })
    await cache.getOrRefill('warm-up', () => 1)
    const seen = new Map<string, unknown>()
    const many = (keys: readonly string[]): Promise<unknown> =>
      cache.getOrRefillMany(keys, (asked) => {
        seen.set(asked.join(), scope.getStore())
        return new Map(asked.map((key) => [key, 1]))
      })
    await Promise.all([
      scope.run('Ada', () => cache.getOrRefill('1', () => 1)),
      scope.run('Grace', () => many(['2', '3'])),
      scope.run('Mary', () => many(['4', '5'])),
    ])
    expect(Object.fromEntries(seen)).toEqual({ '2,3': 'Grace', '4,5': 'Mary' })
  })

  test('whoever waits goes on in its own scope', async () => {
    const cache = aCache({ ttl: 1000 })
    const load = gatedLoad<number>()
    const ask = async (): Promise<unknown> => {
      await cache.getOrRefill('key', load.loader)
      return scope.getStore()
    }
    const waiting = users.map((user) => scope.run(user, ask))
    await load.started
    load.gate.resolve(1)
    expect(await Promise.all(waiting)).toEqual(users)
  })
})

test('whoever waits for another process goes on in its own scope, and so does its loader if it has to run', async () => {
  const [here, there] = [lab.cache(), lab.cache()]
  await warmUp(lab.redis, here, there)
  const load = gatedLoad<number>()
  const led = there.getOrRefill('key', load.loader)
  await load.started
  const waiting = users.map((user) =>
    scope.run(user, async () => [await here.getOrRefill('key', () => 0), scope.getStore()]),
  )
  await expect.poll(() => here.stats().flights).toBe(1)
  load.gate.resolve(1)
  expect(await led).toBe(1)
  expect(await Promise.all(waiting)).toEqual(users.map((user) => [1, user]))

  const unshared = deferred<number>()
  const leading = deferred()
  const leader = there.getOrRefill('other', ({ doNotShare }) => {
    doNotShare()
    leading.resolve()
    return unshared.promise
  })
  await leading.promise
  const alone = scope.run('Ada', () => here.getOrRefill('other', () => scope.getStore()))
  unshared.resolve(1)
  await leader
  expect(await alone).toBe('Ada')
})

test('whoever waits for a lock goes on in its own scope when a message hands it over', async () => {
  const locker = new Locker({ clients: lab.client() })
  lab.atEnd(() => locker.close())
  const key = `${lab.prefix}-lock`
  const held = await scope.run('first', () => locker.acquire(key, 10_000))
  const order: unknown[] = []
  const waiting = users.map((user) =>
    scope.run(user, async () => {
      const lock = await locker.acquire(key, 10_000)
      order.push(scope.getStore())
      await lock.release()
      return scope.getStore()
    }),
  )
  await held.release()
  expect(await Promise.all(waiting)).toEqual(users)
  expect(new Set(order)).toEqual(new Set(users))
})

test('what another process has changed is told in no scope', async () => {
  const [here, there] = [lab.cache(), lab.cache()]
  const heard: unknown[] = []
  here.on('invalidated', ({ key }) => heard.push([key, scope.getStore()]))
  await scope.run('Ada', async () => {
    await here.getOrRefill('key', () => 1)
    await warmUp(lab.redis, here, there)
  })
  await there.invalidate('key')
  await expect.poll(() => heard).toEqual([['key', undefined]])
})

test('a request that is over is kept alive by nothing that it had the cache or a locker do', async () => {
  const [here, there] = [lab.cache({ staleWhileRevalidate: 60_000 }), lab.cache()]
  const locker = new Locker({ clients: lab.client() })
  lab.atEnd(() => locker.close())
  const memory = createCache({ ttl: 60_000 })
  onTestFinished(() => memory.close())
  await there.getOrRefill('by another', () => 1)

  const requests: Record<string, () => Promise<unknown>> = {
    'the first of all': () => here.getOrRefill('first', () => ({ value: 1 })),
    'a load in memory': () => memory.getOrRefill('key', () => ({ value: 1 })),
    'a hit': () => here.getOrRefill('first', () => 0),
    'a read of what another has loaded': () => here.getOrRefill('by another', () => 0),
    'a load': () => here.getOrRefill('second', async () => ({ value: 1 })),
    'a failure': () => here.getOrRefill('failing', () => Promise.reject(new Error('failed'))).catch(() => {}),
    'a refill in the background': async () => {
      let refilled = false
      const load = ({ background }: { background: boolean }): number => {
        refilled ||= background
        return 1
      }
      const ask = (): Promise<number> => here.getOrRefill('stale', load, { ttl: 1 })
      await eventually('it is refilled', async () => (await ask(), refilled))
    },
    'a load of many': () => here.getOrRefillMany(['a', 'b'], (keys) => new Map(keys.map((key) => [key, 1]))),
    'a set': () => here.set('set', 1, { tags: ['tag'] }),
    'an invalidation': () => here.invalidate('second'),
    'an invalidation of a tag': () => here.invalidateTags('tag'),
    'a lock': () => locker.withLock(`${lab.prefix}-lock`, 1000, () => {}),
    'a lock that was waited for': async () => {
      const key = `${lab.prefix}-contended`
      const held = await locker.acquire(key, 1000, { autoExtend: true })
      const waiting = locker.acquire(key, 1000)
      await held.release()
      await (await waiting).release()
    },
  }
  const refs = new Map<string, WeakRef<object>>()
  const begin = (name: string, request: () => Promise<unknown>): Promise<unknown> => {
    const store = { name }
    refs.set(name, new WeakRef(store))
    return scope.run(store, request)
  }
  for (const [name, request] of Object.entries(requests)) await begin(name, request)
  await new Promise((resolve) => setImmediate(resolve)) // or this function would hold the promise of the last
  await Promise.all([here, there, memory].map(settled))
  await expect
    .poll(() => {
      collectGarbage()
      return [...refs].filter(([, ref]) => ref.deref() !== undefined).map(([name]) => name)
    })
    .toEqual([])
})
