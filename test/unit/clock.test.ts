import { describe, expect, it } from 'vitest'
import { MAX_DELAY, systemClock } from '../../src/clock.ts'
import { deferred } from '../support/deferred.ts'

describe('systemClock', () => {
  it('cuts a delay that Node would fire at once, and cancels it', async () => {
    for (const delay of [MAX_DELAY + 1, 2 ** 53, Infinity]) {
      let fired = false
      const timer = systemClock.setTimeout(() => (fired = true), delay)
      const later = deferred()
      systemClock.setTimeout(later.resolve, 5)
      await later.promise
      expect(fired).toBe(false)
      timer.cancel()
    }
  })

  it('does not fire what was cancelled', async () => {
    let fired = false
    systemClock.setTimeout(() => (fired = true), 1).cancel()
    const later = deferred()
    systemClock.setTimeout(later.resolve, 5)
    await later.promise
    expect(fired).toBe(false)
  })

  it('keeps a process alive with a timer only where that is wanted', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    const quiet = systemClock.setTimeout(() => {}, 1000, { keepAlive: false })
    expect(timers()).toBe(before)
    const loud = systemClock.setTimeout(() => {}, 1000)
    expect(timers()).toBe(before + 1)
    quiet.cancel()
    loud.cancel()
    expect(timers()).toBe(before)
  })

  it('has a monotonic now that the wall clock does not move', () => {
    const DateNow = Date.now
    try {
      const before = systemClock.now()
      Date.now = () => DateNow() + 3_600_000
      expect(systemClock.now() - before).toBeLessThan(1000)
      expect(systemClock.wallNow() - DateNow()).toBeGreaterThan(3_599_000)
    } finally {
      Date.now = DateNow
    }
  })

  it('has a coarse now that never runs ahead, and lags no more than about a millisecond between turns', async () => {
    for (let turn = 0; turn < 50; turn++) {
      const coarse = systemClock.coarseNow()
      expect(coarse).toBeLessThanOrEqual(systemClock.now())
      const later = deferred()
      systemClock.setTimeout(later.resolve, 3)
      await later.promise
      const before = systemClock.now()
      // Whatever turn reads it after the pause sees a reading made after the pause began.
      expect(systemClock.coarseNow()).toBeGreaterThan(coarse)
      expect(before - systemClock.coarseNow()).toBeLessThan(3)
    }
  })

  it('runs an immediate after input that is pending', async () => {
    const order: string[] = []
    const done = deferred()
    systemClock.setImmediate(() => {
      order.push('immediate')
      done.resolve()
    })
    queueMicrotask(() => order.push('microtask'))
    await done.promise
    expect(order).toEqual(['microtask', 'immediate'])
  })
})
