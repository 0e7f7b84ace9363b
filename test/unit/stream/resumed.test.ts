import { expect, test } from 'vitest'
import { goesOn, nameOf } from '../../../src/stream/resumed.ts'

const head = { run: 'one', beganAt: 1 }

test.each([
  ['the same run', { run: 'one', length: 5 }, head, true, 'one'],
  ['one that was resumed behind what is known', { run: 'one', length: 5 }, { ...head, resumedFrom: 5 }, true, 'one'],
  ['one that was resumed before that', { run: 'one', length: 5 }, { ...head, resumedFrom: 4 }, false, 'one from 4'],
  ['another run', { run: 'two', length: 5 }, { ...head, resumedFrom: 4 }, false, 'one'],
])('%s', (_, known, told, isGoingOn, name) => {
  expect(goesOn(known, told)).toBe(isGoingOn)
  expect(nameOf(told, known)).toBe(name)
})

test('a run of which nothing is known has its own name', () => {
  expect(nameOf({ ...head, resumedFrom: 3 }, undefined)).toBe('one')
})
