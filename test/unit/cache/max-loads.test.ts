import { beforeEach, describe, expect, it } from 'vitest'
import type { Cache } from '../../../src/cache/cache.ts'
import { createCacheOn } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import { OverloadedError } from '../../../src/errors.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'
import { gatedLoads, type GatedLoads } from '../../support/gated-loads.ts'

const TTL = 1000

describe('maxLoads, on memory alone', () => {
  let clock: FakeClock
  let loads: GatedLoads
  beforeEach(() => {
    clock = new FakeClock()
    loads = gatedLoads()
  })

  const cacheWith = (options: Partial<CacheOptions> = {}): Cache =>
    createCacheOn({ ttl: TTL, maxLoads: 1, ...options }, clock, new FakeRandom())

  /** What a call has come to so far. */
  function outcomeOf<V>(call: Promise<V>): { value?: V; error?: unknown } {
    const outcome: { value?: V; error?: unknown } = {}
    call.then(
      (value) => (outcome.value = value),
      (error: unknown) => (outcome.error = error),
    )
    return outcome
  }

  /** A cache whose `key` was filled with 'old' and is past its ttl, while another load has the only slot. */
  async function full(options: Partial<CacheOptions>): Promise<Cache> {
    const cache = cacheWith(options)
    await cache.getOrRefill('key', () => 'old')
    await clock.advance(TTL)
    outcomeOf(cache.getOrRefill('other', loads.loader))
    await clock.settle()
    return cache
  }

  it('lets no more loads run at once, and the others in the order in which they came', async () => {
    const cache = cacheWith({ maxLoads: 2 })
    const answers = ['a', 'b', 'c', 'd'].map((key) => cache.getOrRefill(key, loads.loader))
    await clock.settle()
    expect(loads.running).toEqual(['a', 'b'])
    loads.end('b')
    await clock.settle()
    expect(loads.running).toEqual(['a', 'c'])
    loads.endAll()
    await clock.settle()
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd'].map((key) => `value of ${key}`))
    expect(loads.most).toBe(2)
    expect(clock.pendingTimers).toBe(0)
  })

  it.each(['load', 'throw'] as const)(
    'ends a wait in line after waitTimeout, whatever onWaitTimeout says (%s)',
    async (onWaitTimeout) => {
      const cache = cacheWith({ waitTimeout: 2000, onWaitTimeout })
      outcomeOf(cache.getOrRefill('first', loads.loader))
      const outcome = outcomeOf(cache.getOrRefill('second', loads.loader))
      await clock.advance(1999)
      expect(outcome).toEqual({})
      await clock.advance(1)
      expect(outcome.error).toBeInstanceOf(OverloadedError)
      expect(outcome.error).toMatchObject({ code: 'OVERLOADED', retryAfter: 1 })
      expect((outcome.error as Error).message).toBe(
        'no slot to load "second" became free in time: all slots are taken (maxLoads: 1); try again in 1 s',
      )
      loads.endAll()
      await clock.settle()
      expect(loads.begun).toBe(1)
    },
  )

  it('counts waitTimeout of a call, and loadTimeout only from the moment at which the loader begins', async () => {
    const cache = cacheWith({ loadTimeout: 1000 })
    outcomeOf(cache.getOrRefill('first', loads.loader))
    const impatient = outcomeOf(cache.getOrRefill('second', loads.loader, { waitTimeout: 100 }))
    const patient = outcomeOf(cache.getOrRefill('third', loads.loader))
    await clock.advance(100)
    expect(impatient.error).toBeInstanceOf(OverloadedError)
    await clock.advance(800)
    loads.end('first')
    await clock.advance(900)
    loads.end('third')
    await clock.settle()
    expect(patient.value).toBe('value of third')
  })

  it('estimates retryAfter by the length of the line and what a load takes', async () => {
    const cache = cacheWith()
    outcomeOf(cache.getOrRefill('known', loads.loader))
    await clock.advance(5000)
    loads.end('known')
    await clock.settle()
    for (const key of ['first', 'a', 'b', 'c']) outcomeOf(cache.getOrRefill(key, loads.loader))
    const outcome = outcomeOf(cache.getOrRefill('d', loads.loader, { waitTimeout: 100 }))
    await clock.advance(100)
    expect(outcome.error).toMatchObject({ retryAfter: 15 })
    await cache.close()
  })

  it.each([
    ['staleWhileRevalidate', {}],
    ['staleIfError', {}],
    ['staleWhileRevalidate', { softTimeout: 500 }],
  ] as const)('serves a stale value at once that %s allows (%o), and refills it in its turn', async (window, more) => {
    const cache = await full({ [window]: 60_000, ...more })
    expect(await cache.getOrRefill('key', loads.loader)).toBe('old')
    await clock.settle()
    expect(await cache.getOrRefill('key', loads.loader)).toBe('old') // also while the refill is in line
    expect(loads.running).toEqual(['other'])
    loads.end('other')
    await clock.settle()
    expect(loads.running).toEqual(['key'])
    loads.end('key')
    await clock.settle()
    expect(cache.peek('key')).toBe('value of key')
  })

  it('backs off when the turn of a refill in the background has not come in time', async () => {
    const cache = await full({ staleIfError: 60_000, waitTimeout: 100 })
    expect(await cache.getOrRefill('key', loads.loader)).toBe('old')
    await clock.advance(100)
    const before = clock.pendingTimers
    expect(await cache.getOrRefill('key', loads.loader)).toBe('old')
    await clock.settle()
    expect(clock.pendingTimers).toBe(before) // nothing stands in line for it
  })

  it('gives the place of a caller that leaves to the next', async () => {
    const cache = cacheWith()
    outcomeOf(cache.getOrRefill('first', loads.loader))
    const controller = new AbortController()
    const left = outcomeOf(cache.getOrRefill('second', loads.loader, { signal: controller.signal }))
    const third = outcomeOf(cache.getOrRefill('third', loads.loader))
    await clock.settle()
    controller.abort(new Error('left'))
    await clock.settle()
    expect(left.error).toMatchObject({ message: 'left' })
    loads.endAll()
    await clock.settle()
    expect(third.value).toBe('value of third')
    expect(loads.begun).toBe(2)
  })

  it.each<[string, (key: string) => unknown]>([
    ['fails', () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['takes too long', () => new Promise(() => {})],
  ])('frees the slot of a load that %s', async (_how, loader) => {
    const cache = cacheWith({ loadTimeout: 100 })
    const failed = outcomeOf(cache.getOrRefill('first', ({ key }) => loader(key)))
    const second = outcomeOf(cache.getOrRefill('second', () => 'value'))
    await clock.advance(100)
    expect(failed.error).toBeInstanceOf(Error)
    expect(second.value).toBe('value')
  })

  describe('a loader that asks the same cache', () => {
    it('uses its own slot, as do the loaders that it calls in this way', async () => {
      const cache = cacheWith()
      const answer = cache.getOrRefill('outer', async () => {
        const inner = await cache.getOrRefill('inner', () => cache.getOrRefill('innermost', () => 'value'))
        return `${inner} and ${await cache.getOrRefill('another', () => 'another')}`
      })
      await clock.settle()
      expect(await answer).toBe('value and another')
    })

    it('gives its slot to a load that stands in line already', async () => {
      const cache = cacheWith()
      const outer = outcomeOf(
        cache.getOrRefill('outer', async () => {
          await clock.settle()
          return cache.getOrRefill('inner', () => expect.unreachable())
        }),
      )
      const waiting = outcomeOf(cache.getOrRefill('inner', () => 'value'))
      await clock.settle()
      await clock.settle()
      expect([outer.value, waiting.value]).toEqual(['value', 'value'])
    })

    it('keeps its slot until what it has called for has ended', async () => {
      const cache = cacheWith()
      outcomeOf(
        cache.getOrRefill('outer', () => {
          outcomeOf(cache.getOrRefill('inner', loads.loader))
          return 'at once'
        }),
      )
      outcomeOf(cache.getOrRefill('next', loads.loader))
      await clock.settle()
      expect(loads.running).toEqual(['inner'])
      loads.end('inner')
      await clock.settle()
      expect(loads.running).toEqual(['next'])
    })

    it('for many keys uses it for all of them', async () => {
      const cache = cacheWith()
      const answer = cache.getOrRefill('outer', async () => {
        const values = await cache.getOrRefillMany(['a', 'b'], (keys) => new Map(keys.map((key) => [key, key])))
        return [...values.values()].join()
      })
      await clock.settle()
      expect(await answer).toBe('a,b')
    })

    it('is an ordinary caller once it has ended', async () => {
      const cache = cacheWith()
      let ask!: () => Promise<string>
      const end = await cache.getOrRefill('outer', async () => {
        const gate = deferred()
        ask = async () => {
          await gate.promise
          return cache.getOrRefill('late', loads.loader)
        }
        return gate.resolve
      })
      const late = outcomeOf(ask())
      outcomeOf(cache.getOrRefill('other', loads.loader))
      end()
      await clock.settle()
      expect(loads.running).toEqual(['other'])
      loads.endAll()
      await clock.settle()
      expect(late.value).toBe('value of late')
    })
  })

  describe('a batch', () => {
    it('counts as one load', async () => {
      const cache = cacheWith()
      const keys = ['a', 'b', 'c']
      const batch = outcomeOf(
        cache.getOrRefillMany(keys, async (asked, { signal }) => {
          await loads.loader({ key: 'batch', signal })
          return new Map(asked.map((key) => [key, key]))
        }),
      )
      const other = outcomeOf(cache.getOrRefill('other', loads.loader))
      await clock.settle()
      expect(loads.running).toEqual(['batch'])
      loads.end('batch')
      await clock.settle()
      expect(batch.value?.size).toBe(3)
      expect(loads.running).toEqual(['other'])
      loads.endAll()
      await clock.settle()
      expect(other.value).toBe('value of other')
    })

    it('that finds no slot in time is refused as a whole', async () => {
      const cache = cacheWith({ waitTimeout: 100 })
      outcomeOf(cache.getOrRefill('other', loads.loader))
      const batch = outcomeOf(cache.getOrRefillMany(['a', 'b'], () => expect.unreachable()))
      await clock.advance(100)
      expect(batch.error).toBeInstanceOf(OverloadedError)
    })

    it('asks the cache from its loader without a slot of its own', async () => {
      const cache = cacheWith()
      const batch = outcomeOf(
        cache.getOrRefillMany(['a', 'b'], async (keys) => {
          const inner = await cache.getOrRefill('inner', () => 'value')
          return new Map(keys.map((key) => [key, inner]))
        }),
      )
      await clock.settle()
      expect([...(batch.value ?? [])]).toEqual([
        ['a', 'value'],
        ['b', 'value'],
      ])
    })
  })

  it('counts the loads of callers who load for themselves', async () => {
    const cache = cacheWith({ maxLoads: 2 })
    await cache.getOrRefill('key', ({ doNotShare }) => doNotShare())
    const answers = Array.from({ length: 5 }, () => outcomeOf(cache.getOrRefill('key', loads.loader)))
    await clock.settle()
    expect(loads.running).toEqual(['key', 'key'])
    loads.endAll()
    await clock.settle()
    expect(answers.map(({ value }) => value)).toEqual(Array.from({ length: 5 }, () => 'value of key'))
    expect(loads.most).toBe(2)
  })

  it('rejects with ClosedError, and leaves nothing behind, when the cache is closed', async () => {
    const cache = cacheWith()
    const calls = ['a', 'b'].map((key) => outcomeOf(cache.getOrRefill(key, loads.loader)))
    const batch = outcomeOf(cache.getOrRefillMany(['c', 'd'], () => expect.unreachable()))
    await clock.settle()
    await cache.close()
    await clock.settle()
    for (const { error } of [...calls, batch]) expect(error).toMatchObject({ code: 'CLOSED' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('is told in stats', async () => {
    const cache = cacheWith({ waitTimeout: 100 })
    for (const key of ['a', 'b', 'c']) outcomeOf(cache.getOrRefill(key, loads.loader))
    await clock.settle()
    expect(cache.stats().limit).toEqual({ maxLoads: 1, running: 1, waiting: 2, refused: 0 })
    await clock.advance(100)
    loads.endAll()
    await clock.settle()
    expect(cache.stats().limit).toEqual({ maxLoads: 1, running: 0, waiting: 0, refused: 2 })
    expect(createCacheOn({ ttl: TTL }, clock, new FakeRandom()).stats().limit).toBeUndefined()
  })

  it.each([
    [0, 'maxLoads must be a whole number above 0, received 0'],
    [1.5, 'maxLoads must be a whole number above 0, received 1.5'],
    [Number.NaN, 'maxLoads must be a whole number above 0, received NaN'],
    ['20', 'maxLoads must be a whole number above 0, received "20"'],
    [null, 'maxLoads must be a whole number above 0, received null'],
  ])('refuses %o', (maxLoads, message) => {
    expect(() => cacheWith({ maxLoads: maxLoads as number })).toThrow(message)
  })
})
