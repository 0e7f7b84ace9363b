import { expect, test } from 'vitest'
import { goesOn, nameOf } from '../../../src/stream/resumed.ts'

const headOf = (...resumptions: number[]) => ({ run: 'one', beganAt: 1, resumptions })
const known = { run: 'one', length: 5, resumptions: 1 }

test.each([
  ['the same run', known, headOf(3), true, 'one'],
  ['one that was resumed behind what is known', known, headOf(3, 5), true, 'one'],
  ['one that was resumed before that', known, headOf(3, 4), false, 'one from 4'],
  ['one that was resumed before that, and once more', known, headOf(3, 4, 9), false, 'one from 4'],
  ['another run', { ...known, run: 'two' }, headOf(3, 4), false, 'one'],
])('%s', (_, what, head, isGoingOn, name) => {
  expect(goesOn(what, head)).toBe(isGoingOn)
  expect(nameOf(head, what)).toBe(name)
})

test('a run of which nothing is known has its own name', () => {
  expect(nameOf(headOf(3), undefined)).toBe('one')
})
