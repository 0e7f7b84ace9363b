import { getEventListeners } from 'node:events'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { Cache } from '../../../src/cache/cache.ts'
import { createCacheOn } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import { ClosedError, ReentrantRefillError, SerializationError } from '../../../src/errors.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'
import { countLoads } from '../../support/loads.ts'

let clock: FakeClock
beforeEach(() => {
  clock = new FakeClock()
})

const cacheWith = (options: Partial<CacheOptions> = {}): Cache =>
  createCacheOn({ ttl: 1000, ...options }, clock, new FakeRandom())
const never = (): Promise<never> => new Promise(() => {})
const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

describe('many callers', () => {
  it('5000 that wait when the leader fails all get that very error, of one load', async () => {
    const cache = cacheWith()
    const error = new Error('no')
    const loads = countLoads(() => Promise.reject(error))
    const calls = Array.from({ length: 5000 }, () => cache.getOrRefill('key', loads.loader))
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.every((outcome) => outcome.status === 'rejected' && outcome.reason === error)).toBe(true)
    expect(loads.runs).toBe(1)
  })

  it('5000 with one signal all settle, without a warning, and leave no listener', async () => {
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const cache = cacheWith()
    for (const end of ['settle', 'abort']) {
      const controller = new AbortController()
      const { signal } = controller
      const value = deferred<number>()
      // On one key they share a flight; on keys of their own they do not.
      const calls = Array.from({ length: 5000 }, (_, i) =>
        cache.getOrRefill(i % 2 ? end : `${end} ${i}`, () => value.promise, { signal }),
      )
      if (end === 'settle') value.resolve(1)
      else controller.abort('left')
      const outcomes = await Promise.allSettled(calls)
      expect(new Set(outcomes.map((outcome) => outcome.status))).toEqual(
        new Set([end === 'settle' ? 'fulfilled' : 'rejected']),
      )
      await clock.settle()
      expect(listeners(signal)).toBe(0)
      value.resolve(1)
    }
    await clock.settle()
    expect(warnings).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  it('keep in memory what they peek at, as what they ask for', async () => {
    const cache = cacheWith({ memory: { maxEntries: 2 } })
    for (const key of ['a', 'b']) await cache.set(key, key)
    expect(cache.peek('a')).toBe('a')
    await cache.set('c', 'c')
    expect(['a', 'b', 'c'].map((key) => cache.peek(key))).toEqual(['a', undefined, 'c'])
  })

  it('whose flights outnumber the entries of memory get their values, by one load a key', async () => {
    const cache = cacheWith({ memory: { maxEntries: 2 } })
    const values = deferred<string>()
    const loads = countLoads(() => values.promise)
    const calls = Array.from({ length: 100 }, (_, i) => cache.getOrRefill(`key ${i % 50}`, loads.loader))
    values.resolve('value')
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['value']))
    expect(loads.runs).toBe(50)
    await clock.settle()
    expect(cache.stats()).toMatchObject({ entries: 2, flights: 0 })
  })
})

describe('signals', () => {
  it('one that aborted before rejects alike on a miss, a hit, a stale value and a flight under way', async () => {
    const cache = cacheWith({ staleWhileRevalidate: 1000 })
    const loads = countLoads(() => 1)
    const reason = { not: 'an Error' }
    const call = (): Promise<number> => cache.getOrRefill('key', loads.loader, { signal: AbortSignal.abort(reason) })
    await expect(call()).rejects.toBe(reason)
    expect(loads.runs).toBe(0)
    await cache.getOrRefill('key', loads.loader)
    await expect(call()).rejects.toBe(reason)
    await clock.advance(1000)
    await expect(call()).rejects.toBe(reason)
    void cache.getOrRefill('other', never)
    const joined = cache.getOrRefill('other', never, { signal: AbortSignal.abort(reason) })
    await expect(joined).rejects.toBe(reason)
    expect(loads.runs).toBe(1)
  })

  it('the last caller to leave ends the load; the next one starts another', async () => {
    const cache = cacheWith()
    const controller = new AbortController()
    let loadSignal: AbortSignal | undefined
    const left = cache.getOrRefill('key', ({ signal }) => ((loadSignal = signal), never()), {
      signal: controller.signal,
    })
    controller.abort('left')
    await expect(left).rejects.toBe('left')
    expect(loadSignal?.reason).toBe('left')
    expect(await cache.getOrRefill('key', () => 'next')).toBe('next')
    await clock.settle()
    expect([listeners(controller.signal), clock.pendingTimers, cache.stats().flights]).toEqual([0, 0, 0])
  })

  it('what an abandoned loader brings late is not kept', async () => {
    const cache = cacheWith()
    const controller = new AbortController()
    const late = deferred<string>()
    const left = cache.getOrRefill('key', () => late.promise, { signal: controller.signal })
    controller.abort('left')
    await expect(left).rejects.toBe('left')
    late.resolve('late')
    await clock.settle()
    expect(cache.peek('key')).toBeUndefined()
  })

  it('a late failure of an abandoned loader is nobody’s unhandled rejection', async () => {
    const cache = cacheWith()
    const controller = new AbortController()
    const late = deferred<string>()
    const left = cache.getOrRefill('key', () => late.promise, { signal: controller.signal })
    controller.abort('left')
    await expect(left).rejects.toBe('left')
    late.reject(new Error('late'))
    await clock.settle()
  })

  it('ends one of several loads that run unshared, and no other', async () => {
    const cache = cacheWith()
    await cache.getOrRefill('key', ({ doNotShare }) => doNotShare())
    const controller = new AbortController()
    const value = deferred<string>()
    const left = cache.getOrRefill('key', () => value.promise, { signal: controller.signal })
    const stays = cache.getOrRefill('key', () => value.promise)
    controller.abort('left')
    await expect(left).rejects.toBe('left')
    value.resolve('value')
    expect(await stays).toBe('value')
    await clock.settle()
    expect([listeners(controller.signal), clock.pendingTimers]).toEqual([0, 0])
  })

  it('of the leader ends its own load, once that is unshared', async () => {
    const cache = cacheWith()
    const controller = new AbortController()
    let loadSignal: AbortSignal | undefined
    const call = cache.getOrRefill('key', (context) => ((loadSignal = context.signal), context.doNotShare(), never()), {
      signal: controller.signal,
    })
    await clock.settle()
    controller.abort('left')
    await expect(call).rejects.toBe('left')
    expect(loadSignal?.aborted).toBe(true)
    await clock.settle()
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('values', () => {
  it('a value that one caller changes reaches no later caller', async () => {
    const cache = cacheWith()
    const loaders: Record<string, () => unknown> = {
      map: () => new Map([['a', [1]]]),
      date: () => new Date(0),
      buffer: () => Buffer.from('abc'),
      mixed: () => ({ list: [new Set([1])] }),
    }
    const change: Record<string, (value: never) => void> = {
      map: (value: Map<string, number[]>) => value.get('a')?.push(2),
      date: (value: Date) => value.setTime(1),
      buffer: (value: Buffer) => value.fill(0),
      mixed: (value: { list: Set<number>[] }) => value.list[0]?.add(2),
    }
    for (const [key, loader] of Object.entries(loaders)) {
      for (let caller = 0; caller < 3; caller++) {
        const value = await cache.getOrRefill(key, loader)
        await clock.settle()
        expect(value, `${key}, caller ${caller}`).toEqual(loader())
        change[key]?.(value as never)
        change[key]?.(cache.peek(key) as never)
        change[key]?.((await cache.get(key)) as never)
      }
    }
    expect(cache.stats().refills).toBe(4)
  })

  it('plain values are frozen to the bottom, so that changing one is an error', async () => {
    const cache = cacheWith()
    const first = await cache.getOrRefill('key', () => Object.freeze({ list: [{ n: 1 }] }))
    expect(() => (first.list[0] as { n: number }).n++).toThrow(TypeError)
    expect(() => first.list.push({ n: 2 })).toThrow(TypeError)
    expect(await cache.getOrRefill('key', () => first)).toBe(first)
  })

  it('a value that is set is isolated from who set it', async () => {
    const cache = cacheWith()
    const map = new Map([['a', 1]])
    await cache.set('key', map)
    map.set('a', 2)
    expect(await cache.get('key')).toEqual(new Map([['a', 1]]))
  })

  const cycle: { self?: unknown; map: Map<string, number> } = { map: new Map() }
  cycle.self = cycle
  it.each([
    ['a function', () => {}],
    ['a symbol', Symbol('x')],
    ['a method inside', { run() {} }],
    [
      'a throwing getter',
      Object.defineProperty({ map: new Map() }, 'a', { enumerable: true, get: () => JSON.parse('{') }),
    ],
  ])('%s is delivered to all, reported, and not stored', async (_name, value) => {
    const cache = cacheWith()
    const errors: unknown[] = []
    cache.on('error', ({ error }) => errors.push(error))
    const loads = countLoads(() => value)
    const calls = [cache.getOrRefill('key', loads.loader), cache.getOrRefill('key', loads.loader)]
    for (const got of await Promise.all(calls)) expect(got).toBe(value)
    await clock.settle()
    expect(cache.peek('key')).toBeUndefined()
    expect(errors.length).toBeGreaterThan(0)
    for (const error of errors) expect(error).toBeInstanceOf(SerializationError)
  })

  it('a cycle is a value like others', async () => {
    const cache = cacheWith()
    await cache.getOrRefill('key', () => cycle)
    await clock.settle()
    const copy = cache.peek<typeof cycle>('key')
    expect(copy?.self).toBe(copy)
  })

  it('one larger than maxBytes is delivered, reported and not stored, and what it replaces goes', async () => {
    const cache = cacheWith({ memory: { maxBytes: 100 }, staleIfError: 60_000 })
    const errors: unknown[] = []
    cache.on('error', ({ error }) => errors.push(error))
    await cache.getOrRefill('key', () => 'small')
    await clock.advance(1000)
    const large = 'x'.repeat(1000)
    expect(await cache.getOrRefill('key', () => large)).toBe(large)
    await clock.settle()
    expect(cache.stats().entries).toBe(0)
    expect(errors).toEqual([
      expect.objectContaining({ name: 'RangeError', message: expect.stringContaining('maxBytes') as string }),
    ])
  })

  it('memory stays within maxBytes', async () => {
    const cache = cacheWith({ memory: { maxBytes: 1000 } })
    for (let i = 0; i < 100; i++) await cache.getOrRefill(`key ${i}`, () => 'x'.repeat(97))
    await clock.settle()
    expect(cache.stats().entries).toBe(10) // each is 97 characters, two quotes and a tag
  })
})

describe('loaders that ask the cache', () => {
  it('for their own key get an error, by whatever way round, and no deadlock', async () => {
    const cache = cacheWith()
    const call = (from: string, to: string): Promise<unknown> =>
      cache.getOrRefill(from, async () => {
        await clock.settle() // by now the other two are under way
        return cache.getOrRefill(to, never)
      })
    // Three callers, each of whose loaders waits for the next: whoever closes the circle gets the error.
    const settled = Promise.allSettled([call('a', 'b'), call('b', 'c'), call('c', 'a')])
    await clock.settle()
    await clock.advance(500)
    const outcomes = await settled
    for (const outcome of outcomes) {
      expect(outcome).toEqual({ status: 'rejected', reason: expect.any(ReentrantRefillError) as unknown })
    }
    await clock.settle()
    expect(cache.stats().flights).toBe(0)
  })

  it.each(['first', 'last'])('for the %s key of their own batch get an error at once, and no deadlock', async (key) => {
    const cache = cacheWith()
    const load = async (): Promise<Map<string, never>> => new Map([[key, await cache.getOrRefill(key, never)]])
    const answer = cache.getOrRefillMany(['first', 'middle', 'last'], load)
    await expect(answer).rejects.toThrow(`"first and 2 more" → "${key}" → "first and 2 more"`)
    await clock.settle()
    expect(cache.stats().flights).toBe(0)
  })

  it('for their own key anew get an error at once, by a call and by a claim', async () => {
    const cache = cacheWith()
    const again = { forceFresh: true }
    const call = cache.getOrRefill('key', () => cache.getOrRefill('key', never, again))
    await expect(call).rejects.toBeInstanceOf(ReentrantRefillError)
    const claim = cache.getOrRefill('other', () => cache.claim('other', again))
    await expect(claim).rejects.toBeInstanceOf(ReentrantRefillError)
    await clock.settle()
    expect(cache.stats().flights).toBe(0)
  })

  it('by way of a batch, or from within one, for what they load get an error, and no deadlock', async () => {
    const cache = cacheWith()
    const many = async (): Promise<Map<string, number>> => new Map([['inner', await cache.getOrRefill('outer', never)]])
    const outer = cache.getOrRefill('outer', () => cache.getOrRefillMany(['inner', 'other'], many))
    await expect(outer).rejects.toBeInstanceOf(ReentrantRefillError)
  })

  it('for another key get it', async () => {
    const cache = cacheWith()
    const inner = countLoads(() => 1)
    const outer = (key: string): Promise<number> =>
      cache.getOrRefill(key, () => cache.getOrRefill('inner', inner.loader))
    expect(await Promise.all([outer('a'), outer('b')])).toEqual([1, 1])
    expect(inner.runs).toBe(1)
  })
})

describe('a revoked proxy', () => {
  const revoked = (): object => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  }

  it('that a loader has thrown goes to its caller', async () => {
    const reason = revoked()
    const [outcome] = await Promise.allSettled([cacheWith().getOrRefill('key', () => Promise.reject(reason))])
    expect(outcome.status === 'rejected' && outcome.reason === reason).toBe(true)
  })

  it('that a batch loader returns is no concern of its other keys', async () => {
    const cache = cacheWith()
    const values = new Map<string, unknown>([
      ['proxy', revoked()],
      ['plain', 1],
    ])
    const call = cache.getOrRefillMany(['proxy', 'plain'], () => values)
    await Promise.allSettled([call])
    expect(await cache.getOrRefill('plain', never)).toBe(1)
  })
})

describe('close', () => {
  it('settles what is pending, tells loaders, leaves no timer, and lets nothing in any more', async () => {
    const cache = cacheWith({ staleWhileRevalidate: 5000 })
    await cache.getOrRefill('stale', () => 1)
    await clock.advance(1000)
    const signals: AbortSignal[] = []
    const load = ({ signal }: { signal: AbortSignal }): Promise<never> => {
      signals.push(signal)
      return never()
    }
    expect(await cache.getOrRefill('stale', load)).toBe(1)
    await clock.settle()
    await cache.getOrRefill('alone', ({ doNotShare }) => doNotShare())
    const calls = [cache.getOrRefill('key', load), cache.getOrRefill('key', load), cache.getOrRefill('alone', load)]
    const outcomes = Promise.allSettled(calls)
    await cache.close()
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: expect.any(ClosedError) as unknown })
    expect(signals.map(({ reason }) => reason instanceof ClosedError)).toEqual([true, true, true])
    for (const late of [
      cache.getOrRefill('stale', () => 1),
      cache.get('key'),
      cache.set('key', 1),
      cache.invalidate('key'),
      cache.invalidateTags('tag'),
      cache.clear(),
      cache.getOrRefillMany(['key'], () => new Map()),
    ]) {
      await expect(late).rejects.toBeInstanceOf(ClosedError)
    }
    await clock.settle()
    expect([clock.pendingTimers, cache.stats().flights, cache.stats().entries]).toEqual([0, 0, 0])
  })

  it('may be called twice, and at once', async () => {
    const cache = cacheWith()
    const call = cache.getOrRefill('key', never)
    const outcome = expect(call).rejects.toBeInstanceOf(ClosedError)
    await Promise.all([cache.close(), cache.close()])
    await cache.close()
    await outcome
  })
})
