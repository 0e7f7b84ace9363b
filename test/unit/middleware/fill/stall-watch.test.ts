import { expect, test } from 'vitest'

import { StallWatch } from '../../../../src/middleware/fill/stall-watch.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const PATIENCE = 1000

function setUp() {
  const clock = new FakeClock()
  const seen = { stalls: 0, isExcused: false }
  const watch = new StallWatch(clock, PATIENCE, {
    isExcused: () => seen.isExcused,
    onStall: () => seen.stalls++,
  })
  return { clock, seen, watch }
}

test('without a byte for so long the handler has stalled, which is told once', async () => {
  const { clock, seen, watch } = setUp()
  watch.watch()
  await clock.advance(PATIENCE - 1)
  expect(seen.stalls).toBe(0)
  await clock.advance(1)
  expect(seen.stalls).toBe(1)
  await clock.advance(PATIENCE * 3)
  expect([seen.stalls, clock.pendingTimers]).toEqual([1, 0])
})

test('the time counts from the last byte, not from when it is watched', async () => {
  const { clock, seen, watch } = setUp()
  await clock.advance(PATIENCE - 1)
  watch.watch()
  await clock.advance(1)
  expect(seen.stalls).toBe(1)
})

test('a handler that has been silent for too long has stalled at once', async () => {
  const { clock, seen, watch } = setUp()
  await clock.advance(PATIENCE * 2)
  watch.watch()
  expect(seen.stalls).toBe(0)
  await clock.advance(0)
  expect(seen.stalls).toBe(1)
})

test('each byte begins the time anew', async () => {
  const { clock, seen, watch } = setUp()
  watch.watch()
  for (let piece = 0; piece < 5; piece++) {
    await clock.advance(PATIENCE - 1)
    watch.noteByte()
  }
  expect(seen.stalls).toBe(0)
  await clock.advance(PATIENCE)
  expect(seen.stalls).toBe(1)
})

test('a handler that waits for its readers is excused, and has the whole time once they read', async () => {
  const { clock, seen, watch } = setUp()
  watch.watch()
  seen.isExcused = true
  await clock.advance(PATIENCE * 5)
  expect(seen.stalls).toBe(0)
  seen.isExcused = false
  watch.noteByte()
  await clock.advance(PATIENCE - 1)
  expect(seen.stalls).toBe(0)
  await clock.advance(1)
  expect(seen.stalls).toBe(1)
})

test('nothing is told that is not watched, or not any more', async () => {
  const { clock, seen, watch } = setUp()
  await clock.advance(PATIENCE * 2)
  watch.noteByte()
  watch.watch()
  watch.end()
  await clock.advance(PATIENCE * 2)
  expect([seen.stalls, clock.pendingTimers]).toEqual([0, 0])
})

test('no timer keeps the process alive', () => {
  const { clock, watch } = setUp()
  watch.watch()
  expect([clock.pendingTimers, clock.pendingKeepAliveTimers]).toEqual([1, 0])
})
