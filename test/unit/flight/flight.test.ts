import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Flight, type Collector } from '../../../src/flight/flight.ts'
import { deferred } from '../../support/deferred.ts'

const unused = (): never => {
  throw new Error('nobody was to load alone')
}

/** One whose waiters bring what they do alone. */
const newFlight = <V>(): Flight<V> =>
  new Flight<V>('key', <W>(_key: string, alone: unknown) => (alone as () => W | Promise<W>)())

interface Told {
  readonly place: number
  readonly settled?: unknown
  readonly failed?: unknown
}

function collecting<V>(): { collector: Collector<V>; told: Told[] } {
  const told: Told[] = []
  const collector: Collector<V> = {
    settled: (place, settled) => void told.push({ place, settled }),
    failed: (place, failed) => void told.push({ place, failed }),
    add: (place, result) => void result.then((settled) => told.push({ place, settled })),
  }
  return { collector, told }
}

describe('Flight', () => {
  it('gives one value to all who joined, before and after it was settled', async () => {
    const flight = newFlight<object>()
    const value = {}
    const early = [flight.join(unused, undefined), flight.join(unused, new AbortController().signal)]
    flight.settle(value)
    for (const result of [...early, flight.join(unused, undefined)]) expect(await result).toBe(value)
    expect(flight.settled).toBe(true)
  })

  it.each([new Error('no'), undefined, null, 'text'])('gives one reason, %o, to all', async (reason) => {
    const flight = newFlight<void>()
    const results = [flight.join(unused, undefined), flight.join(unused, new AbortController().signal)]
    flight.fail(reason)
    expect(await Promise.allSettled([...results, flight.join(unused, undefined)])).toEqual(
      Array.from({ length: 3 }, () => ({ status: 'rejected', reason })),
    )
  })

  it('may fail with nobody there', async () => {
    const flight = newFlight<void>()
    flight.fail(new Error('unheard'))
    await new Promise((resolve) => setImmediate(resolve)) // an unhandled rejection would fail the test run
    expect(flight.settled).toBe(true)
  })

  it('counts only the first outcome', async () => {
    const flight = newFlight<number>()
    flight.settle(1)
    flight.fail(new Error('late'))
    flight.settle(2)
    flight.release()
    expect(await flight.join(unused, undefined)).toBe(1)
  })

  describe('with a collector', () => {
    const ends: readonly (readonly [string, (flight: Flight<string>) => void, unknown])[] = [
      ['a value', (flight) => flight.settle('shared'), { settled: 'shared' }],
      ['a copy', (flight) => flight.settle('original', () => 'copy'), { settled: 'copy' }],
      ['a failure', (flight) => flight.fail('reason'), { failed: 'reason' }],
      ['no reason', (flight) => flight.fail(undefined), { failed: undefined }],
      ['what it makes alone', (flight) => flight.release(), { settled: 'alone' }],
    ]

    it.each(ends)('hands it %s at once, whether it joined before or after, and once', (_what, end, expected) => {
      for (const isLate of [false, true]) {
        const { collector, told } = collecting<string>()
        const flight = newFlight<string>()
        if (isLate) end(flight)
        flight.joinFor(collector, 7, () => 'alone')
        expect(flight.waiters).toBe(isLate ? 0 : 1)
        if (!isLate) end(flight)
        flight.settle('late')
        expect(told).toEqual([{ place: 7, ...(expected as object) }])
      }
    })

    it('hands it a promise of what takes time, and the failure of what throws', async () => {
      const { collector, told } = collecting<string>()
      const [slow, throwing] = [newFlight<string>(), newFlight<string>()]
      slow.joinFor(collector, 0, () => Promise.resolve('in time'))
      throwing.joinFor(collector, 1, () => {
        throw new Error('alone')
      })
      slow.release()
      throwing.release()
      await new Promise((resolve) => setImmediate(resolve))
      expect(told).toEqual([
        { place: 1, failed: new Error('alone') },
        { place: 0, settled: 'in time' },
      ])
    })

    it('serves those who join later with promises, each with what it brought', async () => {
      const { collector, told } = collecting<string>()
      const flight = newFlight<string>()
      flight.joinFor(collector, 0, () => 'a')
      const others = ['b', 'c'].map((name) => flight.join(() => name, undefined))
      expect(flight.waiters).toBe(3)
      flight.release()
      expect(await Promise.all(others)).toEqual(['b', 'c'])
      expect(told).toEqual([{ place: 0, settled: 'a' }])
    })
  })

  it('on release lets each waiter load for itself, each its own', async () => {
    const flight = newFlight<string>()
    const before = ['a', 'b', 'c'].map((name) => flight.join(() => name, undefined))
    const throwing = flight.join(() => {
      throw new Error('sync')
    }, undefined)
    const rejecting = flight.join(() => Promise.reject(new Error('async')), undefined)
    flight.release()
    const after = flight.join(() => 'd', undefined)
    await expect(throwing).rejects.toThrow('sync')
    await expect(rejecting).rejects.toThrow('async')
    expect(await Promise.all([...before, after])).toEqual(['a', 'b', 'c', 'd'])
  })

  it('on release lets each load alone or ask again, as it is told', async () => {
    const told: string[] = []
    const newOne = (): Flight<void> => new Flight('key', (_key, _brought, to) => void told.push(to) as never)
    for (const to of [undefined, 'alone', 'again'] as const) {
      const flight = newOne()
      const joined = flight.join(unused, undefined)
      flight.release(to)
      await joined
    }
    expect(told).toEqual(['alone', 'alone', 'again'])
  })

  it('on release loads nothing for a waiter that has left', async () => {
    const flight = newFlight<string>()
    const controller = new AbortController()
    let loaded = 0
    const left = flight.join(() => `${++loaded}`, controller.signal)
    const stayed = flight.join(() => 'stayed', undefined)
    controller.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    flight.release()
    expect(await stayed).toBe('stayed')
    expect(loaded).toBe(0)
  })

  describe('signals', () => {
    it('one that aborts rejects its own caller, with its reason, and leaves the others waiting', async () => {
      const flight = newFlight<number>()
      const controller = new AbortController()
      const reason = { any: 'thing' }
      const left = flight.join(unused, controller.signal)
      const other = flight.join(unused, new AbortController().signal)
      controller.abort(reason)
      await expect(left).rejects.toBe(reason)
      expect(flight.execution.signal.aborted).toBe(false)
      flight.settle(1)
      expect(await other).toBe(1)
    })

    it('the last caller to leave aborts the flight, with its reason', async () => {
      const flight = newFlight<number>()
      const [first, last] = [new AbortController(), new AbortController()]
      const results = [first, last].map(({ signal }) => flight.join(unused, signal))
      first.abort(new Error('first'))
      last.abort(new Error('last'))
      expect((await Promise.allSettled(results)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
      expect(flight.execution.signal.reason).toMatchObject({ message: 'last' })
    })

    it.each([
      ['a caller without a signal', (flight: Flight<number>) => void flight.join(unused, undefined)],
      ['what is wanted in the background', (flight: Flight<number>) => flight.keep()],
    ])('nobody who leaves aborts %s', async (_what, hold) => {
      const flight = newFlight<number>()
      hold(flight)
      const controller = new AbortController()
      const left = flight.join(unused, controller.signal)
      controller.abort(new Error('left'))
      await expect(left).rejects.toThrow('left')
      expect(flight.execution.signal.aborted).toBe(false)
      flight.settle(1)
    })

    it('one that aborts after the result changes nothing, and keeps no listener', async () => {
      const flight = newFlight<number>()
      const controller = new AbortController()
      const result = flight.join(unused, controller.signal)
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
      flight.settle(1)
      expect(await result).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
      controller.abort()
      expect(flight.execution.signal.aborted).toBe(false)
    })

    it('5000 callers with one signal all reject when it aborts, and the flight with them', async () => {
      const flight = newFlight<number>()
      const controller = new AbortController()
      const results = Array.from({ length: 5000 }, () => flight.join(unused, controller.signal))
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
      controller.abort('all')
      const outcomes = await Promise.allSettled(results)
      expect(outcomes.every((outcome) => outcome.status === 'rejected' && outcome.reason === 'all')).toBe(true)
      expect(flight.execution.signal.aborted).toBe(true)
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    })
  })

  it('serves 10,000 waiters, with and without a signal, each its own', async () => {
    const flight = newFlight<number>()
    const { signal } = new AbortController()
    const results = Array.from({ length: 10_000 }, (_, i) => flight.join(() => i, i % 2 ? signal : undefined))
    flight.release()
    expect(await Promise.all(results)).toEqual(Array.from({ length: 10_000 }, (_, i) => i))
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('lets a waiter join while others are being served', async () => {
    const flight = newFlight<string>()
    const gate = deferred<string>()
    const first = flight.join(() => flight.join(() => 'inner', undefined), undefined)
    const second = flight.join(() => gate.promise, undefined)
    flight.release()
    gate.resolve('second')
    expect(await Promise.all([first, second])).toEqual(['inner', 'second'])
  })

  it('counts who waits, until it is settled', async () => {
    const flight = newFlight<number>()
    const abort = new AbortController()
    const results = [flight.join(() => 0, undefined), flight.join(() => 0, abort.signal)]
    expect(flight.waiters).toBe(2)
    abort.abort()
    expect(flight.waiters).toBe(1)
    flight.settle(1)
    expect(flight.waiters).toBe(0)
    await expect(results[1]).rejects.toBe(abort.signal.reason)
    expect(await results[0]).toBe(1)
    expect(flight.waiters).toBe(0)
  })
})
