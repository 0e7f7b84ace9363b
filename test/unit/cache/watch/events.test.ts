import { describe, expect, it, onTestFinished } from 'vitest'
import { fullKey } from '../../../../src/full-key.ts'
import { Events } from '../../../../src/cache/watch/events.ts'

const quiet = (): Events => new Events('cache', (key) => key)

describe('Events', () => {
  it('counts every event, also while nobody listens', () => {
    const events = quiet()
    events.miss('key')
    events.hit('key')
    events.report(new Error('no matter'))
    expect(events.counts).toMatchObject({ miss: 1, hit: 1, stale: 0, error: 1 })
  })

  it('tells whoever listens, until that one leaves', () => {
    const events = quiet()
    const seen: unknown[] = []
    const leave = events.on('hit', (event) => seen.push(event))
    events.on('miss', (event) => seen.push(event))
    events.hit('a')
    events.miss('b')
    leave()
    events.hit('c')
    expect(seen).toEqual([{ key: 'a', tier: 'memory' }, { key: 'b' }])
  })

  it('tells one listener twice that was added twice as two functions, and survives one that leaves meanwhile', () => {
    const events = quiet()
    let calls = 0
    const leave = events.on('hit', () => {
      calls++
      leave()
    })
    events.on('hit', () => calls++)
    events.hit('a')
    events.hit('a')
    expect(calls).toBe(3)
  })

  it('lets a listener that throws harm neither the caller nor other listeners; its error is uncaught', async () => {
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    onTestFinished(() => others.forEach((listener) => process.on('uncaughtException', listener)))
    const uncaught = new Promise<unknown>((resolve) => process.once('uncaughtException', resolve))
    const events = quiet()
    let reached = false
    events.on('hit', () => {
      throw new Error("the listener's own")
    })
    events.on('hit', () => (reached = true))
    expect(() => events.hit('a')).not.toThrow()
    expect(reached).toBe(true)
    expect(await uncaught).toMatchObject({ message: "the listener's own" })
  })

  it('counts what happens in a namespace for each that contains it, from the first question on', () => {
    const events = quiet()
    const [outer, inner] = [events.countsOf('a%/'), events.countsOf('a%/b%/')]
    for (const key of ['k', fullKey('a%/', 'k'), fullKey('a%/b%/', 'k'), fullKey('ab%/', 'k')]) {
      events.hitInMemory(key)
      events.hitInRedis(key)
      events.stale(key, 'redis')
      for (const event of ['miss', 'coalesced', 'leaseLost', 'invalidated'] as const) events[event](key)
      events.invalid(key, [])
      events.unshared(key, 'no-store')
      events.refilled(key, 5)
      events.refillFailed(key, new Error('no'), 7)
      events.waited(key, 3)
    }
    events.invalidatedWithin('a%/b%/c%/')
    events.invalidatedWithin('a%/x%/')
    events.report(new Error('of no key'))
    const read = ({ hits, tiers, loadTime, waits, ...counts }: ReturnType<typeof outer.read>) =>
      [hits, tiers.redis, loadTime.count, loadTime.sum, waits, ...Object.values(counts)].flatMap((each) =>
        typeof each === 'object' ? Object.values(each) : each,
      )
    const each = [2, 1, 1, 2, 12, 1, 3, 1, 1, 1, 1, 1, 1, 1, 1]
    expect(read(inner.read())).toEqual([...each, 2, 0])
    expect(read(outer.read())).toEqual([...each.map((count) => 2 * count), 4, 0])
    expect(read(events.read())).toEqual([...each.map((count) => 4 * count), 6, 1])
    expect(events.countsOf('a%/')).toBe(outer)
  })

  it('tells a namespace of what happens in it, and what may concern it, by its own keys', () => {
    const events = quiet()
    const seen: unknown[] = []
    for (const event of ['miss', 'invalidated', 'error'] as const) events.on(event, (told) => seen.push(told), 'a%/')
    const path = (names: string) => names.replaceAll('.', '%/')
    for (const of of ['', 'a.', 'a.b.', 'ab.', 'b.']) events.miss(fullKey(path(of), 'k'))
    expect(seen.splice(0)).toEqual([{ key: 'k' }, { key: 'b/k' }])
    for (const of of ['ab.', 'b.']) events.invalidatedWithin(path(of))
    expect(seen).toEqual([])
    for (const of of ['', 'a.', 'a.b.']) events.invalidatedWithin(path(of))
    expect(seen.splice(0)).toEqual([{ key: undefined }, { key: undefined }, { key: undefined }])
    events.report('failure')
    expect(seen).toEqual([{ error: 'failure' }])
  })

  it('tells the cache by keys that say in which namespace', () => {
    const told: unknown[] = []
    const events = new Events('cache', (key) => key)
    events.on('miss', ({ key }) => told.push(key))
    events.miss(fullKey('a%/b%/', 'k'))
    expect(told).toEqual(['a/b/k'])
  })

  it('counts what was found in Redis apart', () => {
    const events = quiet()
    events.hit('a')
    events.hitInRedis('a')
    events.stale('a', 'memory')
    events.stale('a', 'redis')
    expect(events.counts).toMatchObject({ hit: 2, stale: 2 })
    expect(events.inRedis).toEqual({ hit: 1, stale: 1 })
  })

  it('is silent once cleared', () => {
    const events = quiet()
    events.on('hit', () => expect.unreachable())
    events.clear()
    events.hit('a')
    expect(events.counts.hit).toBe(1)
  })
})
