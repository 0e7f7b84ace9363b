import { expect, test } from 'vitest'

import { KeyMarks } from '../../../../src/middleware/flights/key-marks.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const DURATION = 1000

function setUp(duration = DURATION) {
  const clock = new FakeClock()
  return { clock, marks: new KeyMarks(duration, clock) }
}

test('a mark lasts for its time, and no longer', async () => {
  const { clock, marks } = setUp()
  marks.add('a')
  expect([marks.has('a'), marks.has('b')]).toEqual([true, false])
  await clock.advance(DURATION - 1)
  expect(marks.has('a')).toBe(true)
  await clock.advance(1)
  expect(marks.has('a')).toBe(false)
})

test('a mark that is made anew lasts from then on', async () => {
  const { clock, marks } = setUp()
  marks.add('a')
  await clock.advance(DURATION - 1)
  marks.add('a')
  await clock.advance(DURATION - 1)
  expect(marks.has('a')).toBe(true)
})

test('a mark that is removed is gone', () => {
  const { marks } = setUp()
  marks.add('a')
  marks.remove('a')
  expect(marks.has('a')).toBe(false)
})

test('with a duration of 0 there are none', () => {
  const { marks } = setUp(0)
  marks.add('a')
  expect(marks.has('a')).toBe(false)
})

test('of too many the oldest goes, not one that was made anew', () => {
  const { marks } = setUp()
  for (let index = 0; index < 10_000; index++) marks.add(String(index))
  marks.add('0')
  marks.add('one more')
  expect(['0', '1', '2', 'one more'].map((key) => marks.has(key))).toEqual([true, false, true, true])
})

test('keys of any length are told apart', () => {
  const { marks } = setUp()
  const long = 'x'.repeat(100_000)
  marks.add(`${long}1`)
  expect([marks.has(`${long}1`), marks.has(`${long}2`), marks.has(long)]).toEqual([true, false, false])
  marks.remove(`${long}1`)
  expect(marks.has(`${long}1`)).toBe(false)
})
