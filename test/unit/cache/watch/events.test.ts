import { describe, expect, it, onTestFinished } from 'vitest'
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
