import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../support/fake-clock.ts'

describe('FakeClock', () => {
  it('runs timers in order of their instants, each at its own', async () => {
    const clock = new FakeClock()
    const start = clock.now()
    const seen: string[] = []
    const note = (name: string) => () => void seen.push(`${name}@${clock.now() - start}`)
    clock.setTimeout(note('late'), 20)
    clock.setTimeout(note('early'), 10)
    clock.setTimeout(note('early too'), 10)
    clock.setTimeout(note('beyond'), 31)

    await clock.advance(30)

    expect(seen).toEqual(['early@10', 'early too@10', 'late@20'])
    expect(clock.now() - start).toBe(30)
    expect(clock.pendingTimers).toBe(1)
  })

  it('runs what a timer sets, within the same advance', async () => {
    const clock = new FakeClock()
    const start = clock.now()
    let at = 0
    clock.setTimeout(() => {
      void Promise.resolve().then(() => clock.setTimeout(() => (at = clock.now() - start), 5))
    }, 10)

    await clock.advance(15)

    expect(at).toBe(15)
  })

  it('does not run cancelled timers', async () => {
    const clock = new FakeClock()
    let ran = false
    clock.setTimeout(() => (ran = true), 10).cancel()

    await clock.advance(10)

    expect(ran).toBe(false)
    expect(clock.pendingTimers).toBe(0)
  })

  it('settles promises and immediates however deeply they are chained', async () => {
    const clock = new FakeClock()
    let depth = 0
    async function deeper(): Promise<void> {
      for (let index = 0; index < 100; index++) await Promise.resolve()
      if (++depth < 5) clock.setImmediate(() => void deeper())
    }
    void deeper()

    await clock.settle()

    expect(depth).toBe(5)
  })

  it('runs overdue timers late when the event loop was blocked', async () => {
    const clock = new FakeClock()
    const start = clock.now()
    const seen: number[] = []
    clock.setTimeout(() => seen.push(clock.now() - start), 10)
    clock.setTimeout(() => seen.push(clock.now() - start), 20)

    await clock.block(100)

    expect(seen).toEqual([100, 100])
  })

  it('moves the wall clock with time, and by jumps that the monotonic clock does not see', async () => {
    const clock = new FakeClock(5000)
    const start = clock.now()

    await clock.advance(10)
    clock.jumpWall(-3_600_000)

    expect(clock.wallNow()).toBe(5010 - 3_600_000)
    expect(clock.now() - start).toBe(10)
  })

  it('counts the timers that keep a process alive', () => {
    const clock = new FakeClock()
    clock.setTimeout(() => {}, 10)
    clock.setTimeout(() => {}, 10, { keepAlive: false })

    expect([clock.pendingTimers, clock.pendingKeepAliveTimers]).toEqual([2, 1])
  })
})
