import { beforeEach, describe, expect, it } from 'vitest'
import { Reentrance } from '../../../../src/cache/refill/reentrance.ts'
import { ReentrantRefillError } from '../../../../src/errors.ts'
import { Flight } from '../../../../src/flight/flight.ts'
import { deferred } from '../../../support/deferred.ts'

describe('Reentrance', () => {
  let reentrance: Reentrance
  beforeEach(() => {
    reentrance = new Reentrance()
    suspected.length = 0
  })

  const flightOf = (key: string): Flight<never> => new Flight<never>(key, () => expect.unreachable())
  let flights: Record<'a' | 'b' | 'c', Flight<never>>
  type Name = keyof typeof flights
  beforeEach(() => {
    flights = { a: flightOf('a'), b: flightOf('b'), c: flightOf('c') }
  })
  const suspected: ReentrantRefillError[] = []
  const enter = <T>(name: Name, join: () => Promise<T>): Promise<T> =>
    reentrance.enter(flights[name] as unknown as Flight<T>, join, (error) => {
      suspected.push(error)
      return join()
    })
  const run = <T>(name: Name, load: () => Promise<T>): Promise<T> => {
    const loaded = reentrance.start(flights[name], async () => load())
    const end = (): void => reentrance.end(flights[name])
    loaded.then(end, end)
    return loaded
  }
  const never = (): Promise<never> => new Promise(() => {})

  it('lets whoever is in no loader join whatever there is', async () => {
    expect(await enter('a', () => Promise.resolve(1))).toBe(1)
  })

  it('refuses a loader that waits for itself, and names the way round', async () => {
    await expect(run('a', () => enter('a', never))).rejects.toThrow(ReentrantRefillError)
    await expect(run('a', () => enter('a', never))).rejects.toThrow('"a" → "a"')
  })

  it('refuses a circle through other loaders, also through one that another call has started', async () => {
    void run('b', () => enter('c', never))
    void run('c', () => enter('a', never))
    await expect(run('a', () => enter('b', never))).rejects.toThrow('"a" → "b" → "c" → "a"')
  })

  it('suspects a loader by its asynchronous descendants: they may be of others, whom a pool has called back', async () => {
    const result = run('a', async () => {
      await Promise.resolve()
      await new Promise((resolve) => setImmediate(resolve))
      return enter('a', () => Promise.resolve('no circle'))
    })
    expect(await result).toBe('no circle')
    expect(suspected).toEqual([expect.any(ReentrantRefillError)])
    expect(suspected[0]?.message).toContain('"a" → "a"')
  })

  it('allows two loaders to wait for a third, and one to wait twice', async () => {
    const third = deferred<number>()
    const results = [
      run('a', () => enter('c', () => third.promise)),
      run('b', () => enter('c', () => third.promise)),
      run('a', () => enter('c', () => third.promise)),
    ]
    third.resolve(3)
    expect(await Promise.all(results)).toEqual([3, 3, 3])
  })

  it.each(['resolve', 'reject'] as const)('forgets a wait that has ended (%s)', async (end) => {
    const gate = deferred<number>()
    const waiting = run('b', () => enter('a', () => gate.promise)).catch(() => {})
    await expect(run('a', () => enter('b', never))).rejects.toThrow(ReentrantRefillError)
    gate[end](1)
    await waiting
    expect(await run('a', () => enter('b', () => Promise.resolve('no circle')))).toBe('no circle')
  })

  it('forgets nothing while one of two waits for the same flight goes on', async () => {
    const [first, second] = [deferred<number>(), deferred<number>()]
    const one = run('b', () => enter('a', () => first.promise))
    void run('b', () => enter('a', () => second.promise))
    first.resolve(1)
    await one
    await expect(run('a', () => enter('b', never))).rejects.toThrow(ReentrantRefillError)
  })

  it('knows when it is called by a loader, and only then', async () => {
    expect(reentrance.isInLoader).toBe(false)
    const outer = deferred<void>()
    const inside = run('a', async () => {
      await outer.promise
      return reentrance.isInLoader
    })
    expect(reentrance.isInLoader).toBe(false)
    expect(await run('b', () => Promise.resolve(reentrance.isInLoader))).toBe(true)
    outer.resolve()
    expect(await inside).toBe(true)
    expect(reentrance.isInLoader).toBe(false)
  })
})
