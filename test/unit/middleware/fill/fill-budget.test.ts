import { expect, test } from 'vitest'

import { FillBudget } from '../../../../src/middleware/fill/fill-budget.ts'

test('what is taken is not left, and what is given back is', () => {
  const budget = new FillBudget(10)
  expect([budget.take(4), budget.left]).toEqual([true, 6])
  budget.giveBack(4)
  expect(budget.left).toBe(10)
})

test.each([
  ['all of it', 10, true, 0],
  ['one more', 11, false, 10],
  ['none', 0, true, 10],
])('%s at once', (_name, bytes, taken, left) => {
  const budget = new FillBudget(10)
  expect([budget.take(bytes), budget.left]).toEqual([taken, left])
})

test('who is refused has taken nothing', () => {
  const budget = new FillBudget(10)
  budget.take(8)
  expect([budget.take(3), budget.take(2), budget.take(1), budget.left]).toEqual([false, true, false, 0])
})
