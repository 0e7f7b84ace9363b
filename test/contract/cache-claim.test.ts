import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import type { Cache } from '../../src/cache/cache.ts'
import type { BusyClaim, Claim, FreshClaim, LeasedClaim } from '../../src/cache/claim.ts'
import { ClosedError, InvalidValueError, LoadTimeoutError, OverloadedError } from '../../src/errors.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { uniquePrefix } from '../support/shared-redis.ts'
import { cachesOn, counter, expired, hearEachOther, hearOf, settled, setups } from './cache-setups.ts'

const unused = (): never => {
  throw new Error('no loader was to run')
}

describe.each(setups)('claim on $name', (setup) => {
  const { cacheWith, wholes } = cachesOn(setup)

  /** The same cache as two processes have it, which hear of each other; or without Redis twice as one has it. */
  async function pair(options = {}): Promise<[Cache, Cache]> {
    const prefix = uniquePrefix('claim')
    const one = cacheWith({ prefix, ...options })
    if (setup.options().redis === undefined) return [one, one]
    const two = cacheWith({ prefix, ...options })
    await hearEachOther([one, two])
    return [one, two]
  }

  /** Of several instances one that refuses tells nothing of what is stale. */
  const tellsOfStale = (): boolean => !Array.isArray(setup.options().redis)

  /** What becomes of those who claim the key in these caches and are told to wait. */
  async function waitingIn<V>(caches: readonly Cache[], options = {}): Promise<Promise<Claim<V>>[]> {
    const busy = []
    for (const cache of caches) busy.push(is('busy', await cache.claim<V>('key', options)))
    return busy.map((claim) => claim.wait())
  }

  async function leased<V>(cache: Cache, options = {}): Promise<LeasedClaim<V>> {
    return is('leased', await cache.claim<V>('key', options))
  }

  test('whoever claims first brings the value for all who ask, in every process', async () => {
    const [one, two] = await pair()
    const { refill, stale } = await leased(one)
    const answers = [one, two, one, two].map((cache) => cache.getOrRefill('key', unused))
    await refill.settle({ n: 1 })
    expect(await Promise.all(answers)).toEqual(answers.map(() => ({ n: 1 })))
    expect(stale).toBeUndefined()
    for (const cache of [one, two]) {
      expect(await cache.getOrRefill('key', unused)).toEqual({ n: 1 })
      expect(await cache.claim('key')).toEqual({ state: 'fresh', value: { n: 1 } })
    }
  })

  test('what is settled is nobody’s to change', async () => {
    const [one, two] = await pair()
    const { refill } = await leased(one)
    const answers = [one, two].map((cache) => cache.getOrRefill('key', unused))
    const own = { list: [1] }
    void refill.settle(own)
    const values = (await Promise.all(answers)) as (typeof own)[]
    own.list.push(2)
    expect(values).toEqual([{ list: [1] }, { list: [1] }])
    for (const value of values) expect(value).not.toBe(own)
  })

  test('while a loader runs, in whatever process, the key is busy, and waiting brings its value', async () => {
    const [one, two] = await pair()
    const value = deferred<string>()
    const loading = deferred<void>()
    const loaded = one.getOrRefill('key', () => (loading.resolve(), value.promise))
    await loading.promise
    const busy = [is('busy', await one.claim('key')), is('busy', await two.claim('key'))]
    const waited = busy.map((claim) => claim.wait())
    value.resolve('loaded')
    expect(await loaded).toBe('loaded')
    expect(await Promise.all(waited)).toEqual(busy.map(() => ({ state: 'fresh', value: 'loaded' })))
    expect(await (busy[1] as BusyClaim<unknown>).wait()).toEqual({ state: 'fresh', value: 'loaded' })
  })

  test('who does not wait holds up nobody', async () => {
    const [one, two] = await pair()
    const { refill } = await leased(one)
    for (const cache of [one, two]) is('busy', await cache.claim('key'))
    await refill.abandon()
    expect(await two.getOrRefill('key', () => 'by a loader')).toBe('by a loader')
  })

  test('in place of one who abandons, one of those who wait loads', async () => {
    const [one, two] = await pair()
    const { refill } = await leased(one)
    const loads = counter(() => 'by a loader')
    const batch = one.getOrRefillMany(['key'], (keys) => new Map(keys.map((key) => [key, loads.loader()])))
    const answers = [one, two, one, two].map((cache) => cache.getOrRefill('key', loads.loader))
    const { signal } = new AbortController()
    answers.push(one.getOrRefill('key', loads.loader, { signal }))
    await refill.abandon()
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['by a loader']))
    expect(await batch).toEqual(new Map([['key', 'by a loader']]))
    expect(loads.runs).toBe(1)
  })

  test('it becomes the turn of one of those who wait by a claim', async () => {
    const [one, two] = await pair()
    const first = await leased(one)
    const waiting = await waitingIn([one, two, two])
    await first.refill.abandon()
    const next = is('leased', await Promise.any(waiting.map(async (turn) => is('leased', await turn))))
    await next.refill.settle('next')
    const others = (await Promise.all(waiting)).filter((claim) => claim !== next)
    expect(others).toEqual(others.map(() => ({ state: 'fresh', value: 'next' })))
    expect(others).toHaveLength(2)
  })

  test('a failure is told to all who wait', async () => {
    const [one, two] = await pair()
    const { refill } = await leased(one)
    const answers = [one, two].map((cache) => cache.getOrRefill('key', unused))
    answers.push(...((await waitingIn([one, two])) as Promise<never>[]))
    await eventually('all wait', () => two === one || two.stats().misses > 1)
    const told = Promise.allSettled(answers)
    await refill.fail(new Error('the source is down'))
    for (const result of await told) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { message: expect.stringContaining('the source is down') as string },
      })
    }
    expect(await two.getOrRefill('key', () => 'value')).toBe('value')
  })

  test('what is stale may be served meanwhile: others are served it at once', async () => {
    const [one, two] = await pair({ staleWhileRevalidate: 60_000 })
    await one.set('key', 'old')
    await one.expire('key')
    const { refill, stale } = await leased(one)
    expect([stale, refill.context.stale]).toEqual(['old', 'old'])
    for (const cache of tellsOfStale() ? [one, two] : []) {
      expect(await cache.getOrRefill('key', unused)).toBe('old')
      expect(await cache.claim('key')).toMatchObject({ state: 'busy', stale: 'old' })
    }
    const waited = await waitingIn([one, two])
    await refill.settle('new')
    expect(await Promise.all(waited)).toEqual(waited.map(() => ({ state: 'fresh', value: 'new' })))
    expect(await one.claim('key')).toEqual({ state: 'fresh', value: 'new' })
  })

  test('those who asked before it was known to be stale are not kept waiting', async () => {
    const [one] = await pair({ staleWhileRevalidate: 60_000 })
    await one.set('key', 'old')
    await one.expire('key')
    const [claim, ...answers] = await Promise.all([
      one.claim<string>('key'),
      one.getOrRefill('key', unused),
      one.getOrRefill('key', unused),
    ])
    expect(answers).toEqual(['old', 'old'])
    await is('leased', claim).refill.settle('new')
  })

  test('after a failure the stale value is the answer for a while', async () => {
    const [one] = await pair({ staleIfError: 60_000 })
    await one.set('key', 'old')
    await one.expire('key')
    const { refill, stale } = await leased(one)
    expect([stale, refill.context.stale]).toEqual([undefined, 'old'])
    await refill.fail(new Error('down'))
    expect(await one.claim('key')).toEqual({ state: 'fresh', value: 'old' })
  })

  test('a change is not overwritten by a refill that was claimed before it', async () => {
    const [one, two] = await pair()
    await hearOf('key', [one, two], setup)
    const { refill } = await leased(one)
    const before = one.getOrRefill('key', unused)
    await two.invalidate('key')
    const next = await leased<string>(two)
    await refill.settle('old')
    expect(await before).toBe('old')
    expect(await two.get('key')).toBeUndefined()
    await next.refill.settle('new')
    expect(await one.get('key')).toBe('new')
  })

  test('lifetime and tags may be told with the value', async () => {
    const [one, two] = await pair()
    const { refill } = await leased(one, { tags: ['a'] })
    await refill.settle('value', { ttl: 1, staleWhileRevalidate: 60_000, tags: ['b'] })
    await expired(1)
    const again = await leased(two)
    expect(again.stale).toBe('value')
    await again.refill.settle('again', { tags: ['b'] })
    await one.invalidateTags('b')
    await eventually('the other has heard', () => two.peek('key') === undefined)
    await is('leased', await two.claim('key')).refill.abandon()
    await settled(two)
  })

  test('what cannot be a lifetime is refused, and the refill goes on', async () => {
    const [one] = await pair()
    const { refill } = await leased(one)
    await expect(refill.settle('value', { ttl: -1 })).rejects.toThrow(RangeError)
    await refill.settle('value')
    expect(await one.get('key')).toBe('value')
  })

  test('one that is forgotten ends by loadTimeout', async () => {
    const [one, two] = await pair({ loadTimeout: 100 })
    const { refill } = await leased(one)
    const told = Promise.allSettled([one, two].map((cache) => cache.getOrRefill('key', unused)))
    for (const { reason } of (await told) as PromiseRejectedResult[]) {
      expect((reason as Error).message).toContain('did not settle within loadTimeout (100 ms)')
    }
    expect(refill.context.signal.reason).toBeInstanceOf(LoadTimeoutError)
    await expect(refill.settle('late')).rejects.toBeInstanceOf(LoadTimeoutError)
    expect(await two.getOrRefill('key', () => 'value')).toBe('value')
  })

  test('close ends it, and whoever waits for it', async () => {
    const [one, two] = await pair()
    const { refill } = await leased(one)
    const waited = is('busy', await one.claim('key')).wait()
    const refused = expect(waited).rejects.toBeInstanceOf(ClosedError)
    await (wholes[0] as Cache).close()
    await refused
    await expect(refill.settle('late')).rejects.toBeInstanceOf(ClosedError)
    await expect(one.claim('key')).rejects.toBeInstanceOf(ClosedError)
    const others = two === one ? [] : [await two.getOrRefill('key', () => 'value')]
    expect(others).toEqual(others.map(() => 'value'))
  })

  test('its signal ends the waiting, and abandons the refill once it is had', async () => {
    const [one, two] = await pair()
    const { refill } = await leased(one)
    const gone = new Error('gone')
    await expect(two.claim('key', { signal: AbortSignal.abort(gone) })).rejects.toBe(gone)
    const controller = new AbortController()
    const waited = await waitingIn([one, two], { signal: controller.signal })
    const refused = Promise.all(waited.map((each) => expect(each).rejects.toBe(gone)))
    controller.abort(gone)
    await refused
    await refill.settle('value')
    await one.invalidate('key')

    const another = new AbortController()
    const { refill: again } = await leased(one, { signal: another.signal })
    const answer = one.getOrRefill('key', () => 'by a loader')
    another.abort(gone)
    expect(await answer).toBe('by a loader')
    expect(again.context.signal.aborted).toBe(true)
  })

  test('it counts as a load for maxLoads', async () => {
    const [one, two] = await pair({ maxLoads: 1 })
    const { refill } = await leased(one)
    await expect(two.getOrRefill('other', unused, { waitTimeout: 20 })).rejects.toBeInstanceOf(OverloadedError)
    const waiting = is('busy', await two.claim<string>('another'))
    const turn = waiting.wait()
    await refill.settle('value')
    const next = is('leased', await turn)
    await next.refill.settle('other')
    expect(await two.get('another')).toBe('other')
  })

  test('what is not to be shared each makes for itself', async () => {
    const [one, two] = await pair()
    const { refill } = await leased(one)
    const waited = await waitingIn<string>([one, two])
    refill.context.doNotShare()
    for (const claim of await Promise.all(waited)) await is('leased', claim).refill.settle('mine')
    await refill.settle('first')
    for (const cache of [one, two]) await is('leased', await cache.claim('key')).refill.settle('mine')
    expect(await two.get('key')).toBeUndefined()
  })

  test('the first that is said of it counts', async () => {
    const [one] = await pair()
    const { refill } = await leased(one)
    await Promise.all([refill.settle(Promise.resolve('value')), refill.fail(new Error('late')), refill.abandon()])
    expect(refill.context.signal.aborted).toBe(false)
    expect(await one.get('key')).toBe('value')
  })

  test('what the schema refuses fails', async () => {
    const [one] = await pair()
    const { refill } = is('leased', await one.claim('key', { schema: z.object({ n: z.number() }) }))
    const refused = expect(refill.settle({ n: 'one' } as never)).rejects.toBeInstanceOf(InvalidValueError)
    await refused
    expect(await one.get('key')).toBeUndefined()
  })

  test('refuses what getOrRefill refuses', async () => {
    const cache = cacheWith()
    await expect(cache.claim('')).rejects.toThrow('key must be')
    await expect(cache.claim('key', { ttl: 0 })).rejects.toThrow('ttl must be')
  })
})

function is<V, S extends Claim<V>['state']>(
  state: S,
  claim: Claim<V>,
): { fresh: FreshClaim<V>; leased: LeasedClaim<V>; busy: BusyClaim<V> }[S] {
  expect(claim).toMatchObject({ state })
  return claim as never
}
