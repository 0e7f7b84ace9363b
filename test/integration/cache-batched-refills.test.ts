import { beforeEach, describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import type { BatchLoader } from '../../src/cache/refill/batch.ts'
import { ClosedError, LoadTimeoutError, LockLostError, RefillFailedError } from '../../src/errors.ts'
import { cacheLab, gatedLoad, settled, timed, warmUp, type GatedLoad } from '../support/cache-lab.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'

/** What comes otherwise for keys that are loaded together. */
const lab = cacheLab()
const KEYS = ['a', 'b', 'c']

type Values = Map<string, string>

/** A batch loader that waits at a gate. */
function gated(): GatedLoad<Values> & { readonly batch: BatchLoader<string> } {
  const load = gatedLoad<Values>()
  return Object.assign(load, {
    batch: (_keys: readonly string[], context: { signal: AbortSignal }) => load.loader(context),
  })
}

const allOf = (text: string): Values => new Map(KEYS.map((key) => [key, `${text} ${key}`]))
const leases = async (): Promise<string[]> => (await lab.keys()).filter((key) => key.endsWith(':lease'))

let cache: Cache
let other: Cache
beforeEach(async () => {
  cache = lab.cache({ lockTtl: 1000 })
  other = lab.cache({ lockTtl: 1000 })
  await warmUp(lab.redis, cache)
  await warmUp(lab.redis, other)
})

/** The call, once its loader runs. */
async function begun(load: ReturnType<typeof gated>, options?: object): Promise<{ call: Promise<Values> }> {
  const call = cache.getOrRefillMany(KEYS, load.batch, options)
  call.catch(() => {})
  await load.started
  return { call }
}

describe('keys that are loaded together', () => {
  test('are counted one by one, as misses and as refills', async () => {
    const before = cache.stats()
    await cache.getOrRefillMany(KEYS, () => allOf('value of'))
    await settled(cache)
    const { misses, refills } = cache.stats()
    expect([misses - before.misses, refills - before.refills]).toEqual([KEYS.length, KEYS.length])
    expect(await other.get('b')).toBe('value of b')
    expect(await leases()).toEqual([])
  })

  test('end together when the loader takes too long, and leave nothing', async () => {
    const load = gated()
    const call = cache.getOrRefillMany(KEYS, load.batch, { loadTimeout: 200 })
    await expect(call).rejects.toThrow(LoadTimeoutError)
    expect((await load.started).reason).toBeInstanceOf(LoadTimeoutError)
    await settled(cache)
    expect(await leases()).toEqual([])
    load.gate.resolve(allOf('late'))
    expect(await other.getOrRefill('a', () => 'newer')).toBe('newer')
  })

  test('are given back at once when nobody wants them any more', async () => {
    const load = gated()
    const leaving = new AbortController()
    const { call } = await begun(load, { signal: leaving.signal })
    const next = other.getOrRefill('b', () => 'of the next')
    leaving.abort(new Error('left'))
    await expect(call).rejects.toThrow('left')
    const { value, took } = await timed(() => next)
    expect(value).toBe('of the next')
    expect(took).toBeLessThan(900) // by then the lease would have ended
    await settled(cache)
    expect(await leases()).toEqual([])
  })

  test('end when the cache is closed', async () => {
    const { call } = await begun(gated())
    await cache.close()
    await expect(call).rejects.toThrow(ClosedError)
    expect(await leases()).toEqual([])
  })

  test('are still answered where a lease is lost, but the newer value stays', async () => {
    const load = gated()
    const lost = deferred<string>()
    cache.on('lease-lost', ({ key }) => lost.resolve(key))
    const { call } = await begun(load)
    await other.set('b', 'newer')
    expect(await lost.promise).toBe('b')
    expect((await load.started).aborted).toBe(false) // the other keys are wanted
    load.gate.resolve(allOf('older'))
    expect(await call).toEqual(allOf('older'))
    await settled(cache)
    expect(await cache.getOrRefill('b', () => expect.unreachable())).toBe('newer')
    expect(await cache.getOrRefill('a', () => expect.unreachable())).toBe('older a')
  })

  test('fail one by one, and those who wait elsewhere are told', async () => {
    const load = gated()
    const { call } = await begun(load)
    const waiting = [other.getOrRefill('a', () => 'own'), other.getOrRefill('b', () => 'own')]
    const waiters = async (): Promise<number> => (await lab.keys()).filter((key) => key.endsWith(':waiters')).length
    await eventually('both wait', async () => (await waiters()) === 2)
    const values: Map<string, string | Error> = allOf('value of')
    load.gate.resolve(values.set('b', new Error('no such b')) as Values)
    await expect(call).rejects.toThrow('no such b')
    const [ofA, ofB] = await Promise.allSettled(waiting)
    expect(ofA).toMatchObject({ value: 'value of a' })
    expect(ofB).toMatchObject({ reason: expect.any(RefillFailedError) as Error })
    await settled(cache)
    expect(await cache.getOrRefill('c', () => expect.unreachable())).toBe('value of c')
    expect(await cache.getOrRefill('b', () => 'again')).toBe('again')
  })

  test('that have no value are not kept', async () => {
    const values = await cache.getOrRefillMany(KEYS, () => new Map([['a', 'only']]))
    expect(values).toEqual(new Map([['a', 'only']]))
    await settled(cache)
    expect(await cache.getOrRefill('b', () => 'loaded')).toBe('loaded')
  })

  test('are not stored where they were changed meanwhile', async () => {
    const load = gated()
    const { call } = await begun(load)
    await cache.invalidate('a')
    load.gate.resolve(allOf('older'))
    expect(await call).toEqual(allOf('older'))
    await settled(cache)
    expect(await cache.getOrRefill('a', () => 'newer')).toBe('newer')
    expect(await cache.getOrRefill('c', () => expect.unreachable())).toBe('older c')
  })
})

test('a loader that loses all of its leases is told so', async () => {
  const load = gated()
  const { call } = await begun(load)
  const signal = await load.started
  for (const key of KEYS) await other.set(key, 'newer')
  await eventually('it is told', () => signal.aborted)
  expect(signal.reason).toBeInstanceOf(LockLostError)
  load.gate.resolve(allOf('older'))
  expect(await call).toEqual(allOf('older'))
})
