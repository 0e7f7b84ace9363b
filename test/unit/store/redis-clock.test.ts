import { beforeEach, describe, expect, it } from 'vitest'
import { RedisClock } from '../../../src/store/redis-clock.ts'
import { FakeClock } from '../../support/fake-clock.ts'

/** Redis's clock minus ours. */
const DISTANCE = 7_000_000

describe('RedisClock', () => {
  let clock: FakeClock
  let redis: RedisClock
  beforeEach(() => {
    clock = new FakeClock()
    redis = new RedisClock(clock)
  })

  /** Asks for the time, which Redis tells after `there` ms, and hears it `back` ms later. */
  async function ask(there: number, back: number, distance = DISTANCE): Promise<void> {
    const asked = redis.ask()
    await clock.advance(there)
    const told = clock.now() + distance
    await clock.advance(back)
    asked(told)
  }

  it('knows nothing before it was told', () => {
    expect([redis.isKnownAt(clock.now()), redis.deadlineIn(1000)]).toEqual([false, ''])
  })

  it('converts to the safe side, however slow the way was', async () => {
    await ask(800, 300)
    const instant = clock.now() + DISTANCE + 1000
    expect(redis.toLocal(instant)).toBe(clock.now() + 1000 - 800) // ends early
    expect(redis.deadlineIn(1000)).toBe(clock.now() + DISTANCE + 1000 - 300) // is over early
    expect(redis.fromLocal(redis.toLocal(instant))).toBe(instant)
  })

  it('keeps what a good measurement has told when a bad one follows', async () => {
    await ask(1, 1)
    await ask(800, 900)
    const instant = clock.now() + DISTANCE
    expect(Math.abs(redis.toLocal(instant) - clock.now())).toBeLessThan(5)
    expect(redis.toLocal(instant)).toBeLessThanOrEqual(clock.now())
    const deadline = redis.deadlineIn(0) as number
    expect(deadline).toBeLessThanOrEqual(instant)
    expect(deadline).toBeGreaterThan(instant - 5)
  })

  it('believes the newer measurement when another Redis has another time', async () => {
    await ask(1, 1)
    await ask(10, 10, DISTANCE - 60_000)
    expect(redis.toLocal(clock.now() + DISTANCE - 60_000)).toBe(clock.now() - 10)
  })

  it('relies on a measurement for ten seconds, and widens what it knows as clocks drift', async () => {
    await ask(0, 0)
    await clock.advance(9999)
    expect(redis.isKnownAt(clock.now())).toBe(true)
    await clock.advance(1)
    expect(redis.isKnownAt(clock.now())).toBe(false)
    const deadline = redis.deadlineIn(0) as number
    expect(deadline).toBe(clock.now() + DISTANCE - 10)
  })
})
