import { type } from 'arktype'
import * as v from 'valibot'
import { beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Cache } from '../../../../src/cache/cache.ts'
import { createCacheOn } from '../../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../../src/cache/options.ts'
import { InvalidValueError, LoadTimeoutError } from '../../../../src/errors.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeRandom } from '../../../support/fake-random.ts'
import { countLoads } from '../../../support/loads.ts'

let clock: FakeClock
beforeEach(() => {
  clock = new FakeClock()
})
const cacheWith = (options: Partial<CacheOptions> = {}): Cache =>
  createCacheOn({ ttl: 1000, ...options }, clock, new FakeRandom())

const number = z.object({ n: z.number() })
const slowNumber = v.objectAsync({
  n: v.pipeAsync(
    v.number(),
    v.checkAsync(() => Promise.resolve(true)),
  ),
})
const loaded = (value: unknown) => (): { n: number } => value as { n: number }

describe.each([
  ['of the cache', (schema: typeof number | typeof slowNumber) => ({ schema }), () => ({})],
  ['of the call', () => ({}), (schema: typeof number | typeof slowNumber) => ({ schema })],
])('a schema %s', (_whose, ofCache, ofCall) => {
  it.each([
    ['at once', number],
    ['in its own time', slowNumber],
  ])('that answers %s: what the loader makes is handed out as it is, or is an InvalidValueError', async (_, schema) => {
    const cache = cacheWith(ofCache(schema))
    const valid = { n: 1, more: 'kept' }
    expect(await cache.getOrRefill('valid', () => valid, ofCall(schema))).toEqual(valid)
    const loads = countLoads(loaded({ n: 'one' }))
    const [one, other] = await Promise.allSettled([
      cache.getOrRefill('key', loads.loader, ofCall(schema)),
      cache.getOrRefill('key', loads.loader, ofCall(schema)),
    ])
    expect(loads.runs).toBe(1)
    for (const each of [one, other]) expect(each).toMatchObject({ status: 'rejected' })
    const { reason } = one as PromiseRejectedResult
    expect(reason).toBeInstanceOf(InvalidValueError)
    expect(reason).toMatchObject({ code: 'INVALID_VALUE', issues: [{ path: expect.anything() }] })
    expect(reason.message).toMatch(/^the value of "key" is not valid: n: .*number/)
    expect(cache.peek('key')).toBeUndefined()
    expect(cache.stats()).toMatchObject({ refills: 1, refillFailures: 1, invalidValues: 0 })
  })

  it('is asked about undefined, too', async () => {
    const cache = cacheWith(ofCache(number))
    await expect(cache.getOrRefill('key', loaded(undefined), ofCall(number))).rejects.toThrow(InvalidValueError)
  })

  it('is asked about each value of a batch, and not about keys without one', async () => {
    const cache = cacheWith(ofCache(number))
    const values = new Map<string, unknown>([
      ['a', { n: 1 }],
      ['b', { n: '2' }],
    ])
    const load = (): Map<string, { n: number }> => values as Map<string, { n: number }>
    await expect(cache.getOrRefillMany(['a', 'b', 'c'], load, ofCall(number))).rejects.toThrow('the value of "b"')
    expect([cache.peek('a'), cache.peek('b')]).toEqual([{ n: 1 }, undefined])
    expect(await cache.getOrRefillMany(['a', 'c'], load, ofCall(number))).toEqual(new Map([['a', { n: 1 }]]))
  })

  it('is asked by set before anything is stored', async () => {
    const cache = cacheWith(ofCache(number))
    await cache.set('key', { n: 1 }, ofCall(number))
    const invalid = { n: 'two' } as unknown as { n: number }
    await expect(cache.set('key', invalid, ofCall(number))).rejects.toThrow(InvalidValueError)
    await expect(cache.set('key', invalid, ofCall(slowNumber))).rejects.toThrow(InvalidValueError)
    expect(cache.peek('key')).toEqual({ n: 1 })
  })

  it('is asked about what callers load for themselves', async () => {
    const cache = cacheWith(ofCache(number))
    const calls = Array.from({ length: 3 }, (_, i) =>
      cache.getOrRefill(
        'key',
        ({ doNotShare }) => (doNotShare(), loaded({ n: i === 1 ? 'one' : i })()),
        ofCall(number),
      ),
    )
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })
})

it('a stale value stands in for an invalid one within staleIfError', async () => {
  const cache = cacheWith({ staleIfError: 1000 })
  await cache.getOrRefill('key', () => ({ n: 1 }), { schema: number })
  await clock.advance(1500)
  expect(await cache.getOrRefill('key', loaded({}), { schema: number })).toEqual({ n: 1 })
})

it('an error shows the first of many issues', async () => {
  const schema = type({ a: 'number', b: 'number', c: 'number', d: 'number', e: { f: 'number' } })
  const call = cacheWith().getOrRefill('key', () => ({ e: {} }), { schema })
  await expect(call).rejects.toThrow(/^the value of "key" is not valid: .+; .+; .+; 2 more$/)
  const deep = cacheWith().getOrRefill('key', () => ({ a: 1, b: 1, c: 1, d: 1, e: {} }), { schema })
  await expect(deep).rejects.toThrow(/^the value of "key" is not valid: e\.f: /)
})

it('hits in memory are not checked', async () => {
  const cache = cacheWith()
  await cache.set('key', { n: 'one' })
  expect(await cache.getOrRefill('key', loaded({ n: 1 }), { schema: number })).toEqual({ n: 'one' })
  expect(await cache.get('key', { schema: number })).toEqual({ n: 'one' })
})

it('what a schema throws, the caller gets; one that never answers is cut off by loadTimeout', async () => {
  const cache = cacheWith()
  const failure = new Error('no')
  const throwing = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (): never => {
        throw failure
      },
    },
  }
  await expect(cache.getOrRefill('key', () => 1, { schema: throwing })).rejects.toBe(failure)
  const silent = { '~standard': { version: 1 as const, vendor: 'test', validate: () => new Promise<never>(() => {}) } }
  const call = cache.getOrRefill('key', () => 1, { schema: silent, loadTimeout: 100 })
  const outcome = expect(call).rejects.toThrow(LoadTimeoutError)
  await clock.settle()
  await clock.advance(100)
  await outcome
})
