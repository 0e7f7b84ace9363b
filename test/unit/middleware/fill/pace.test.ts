import { expect, test } from 'vitest'

import { Pace, type Reader } from '../../../../src/middleware/fill/pace.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const STALL = 1000

class FakeReader implements Reader {
  cuts = 0
  onCut: () => void = () => {}

  cut(): void {
    this.cuts++
    this.onCut()
  }
}

function setUp() {
  const clock = new FakeClock()
  const seen = { readies: 0 }
  const pace = new Pace(clock, STALL, () => seen.readies++)
  return { clock, seen, pace, one: new FakeReader(), other: new FakeReader() }
}

test('one who is full holds up the run, until the last of them takes more', () => {
  const { pace, seen, one, other } = setUp()
  expect(pace.isHeldUp).toBe(false)
  pace.full(one)
  pace.full(other)
  pace.ready(one)
  expect([pace.isHeldUp, seen.readies]).toEqual([true, 0])
  pace.ready(other)
  expect([pace.isHeldUp, seen.readies]).toEqual([false, 1])
})

test('one who was not full is no news', () => {
  const { pace, seen, one } = setUp()
  pace.ready(one)
  expect(seen.readies).toBe(0)
})

test('one who is full for stallTimeout is cut, alone, and holds up nobody any more', async () => {
  const { clock, pace, seen, one, other } = setUp()
  pace.full(one)
  await clock.advance(STALL / 2)
  pace.full(other)
  await clock.advance(STALL / 2 - 1)
  expect([one.cuts, other.cuts]).toEqual([0, 0])
  await clock.advance(1)
  expect([one.cuts, other.cuts, seen.readies]).toEqual([1, 0, 0])
  await clock.advance(STALL / 2 - 1)
  expect(other.cuts).toBe(0)
  await clock.advance(1)
  expect([other.cuts, seen.readies, pace.isHeldUp]).toEqual([1, 1, false])
})

test('the time counts from when it became full, however often that is said', async () => {
  const { clock, pace, one } = setUp()
  pace.full(one)
  await clock.advance(STALL - 1)
  pace.full(one)
  await clock.advance(1)
  expect(one.cuts).toBe(1)
})

test('one who has taken something and is full again begins anew, and nobody is told that it was ready', async () => {
  const { clock, pace, seen, one, other } = setUp()
  pace.full(one)
  pace.full(other)
  await clock.advance(STALL - 1)
  pace.full(one, true)
  await clock.advance(1)
  expect([one.cuts, other.cuts]).toEqual([0, 1])
  await clock.advance(STALL - 2)
  expect([one.cuts, seen.readies]).toEqual([0, 0])
  await clock.advance(1)
  expect([one.cuts, seen.readies]).toEqual([1, 1])
})

test('one who takes more in between begins anew', async () => {
  const { clock, pace, one } = setUp()
  pace.full(one)
  await clock.advance(STALL - 1)
  pace.ready(one)
  pace.full(one)
  await clock.advance(STALL - 1)
  expect(one.cuts).toBe(0)
  await clock.advance(1)
  expect(one.cuts).toBe(1)
})

test('a reader that is gone as soon as it is cut is ready once', async () => {
  const { clock, pace, seen, one } = setUp()
  one.onCut = () => pace.ready(one)
  pace.full(one)
  await clock.advance(STALL)
  expect([one.cuts, seen.readies]).toEqual([1, 1])
})

test('after the end nobody is cut', async () => {
  const { clock, pace, one } = setUp()
  pace.full(one)
  pace.end()
  expect(pace.isHeldUp).toBe(false)
  pace.full(one)
  await clock.advance(STALL * 3)
  expect([one.cuts, clock.pendingTimers]).toEqual([0, 0])
})

test('no timer keeps the process alive', () => {
  const { clock, pace, one } = setUp()
  pace.full(one)
  expect([clock.pendingTimers, clock.pendingKeepAliveTimers]).toEqual([1, 0])
})

test('a run that goes on at once and fills another reader leaves no timer behind', async () => {
  const clock = new FakeClock()
  const [one, other] = [new FakeReader(), new FakeReader()]
  const pace: Pace = new Pace(clock, STALL, () => pace.full(other))
  pace.full(one)
  await clock.advance(STALL)
  expect([one.cuts, clock.pendingTimers]).toEqual([1, 1])
  pace.end()
  expect(clock.pendingTimers).toBe(0)
})
