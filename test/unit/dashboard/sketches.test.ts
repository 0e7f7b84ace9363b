import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Hottest } from '../../../src/dashboard/hottest.ts'
import { Slowest } from '../../../src/dashboard/slowest.ts'

test('a key that is met more often than once in the capacity is among the hottest, and never counted too often', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 400 }), (numbers) => {
      const capacity = 8
      const hottest = new Hottest(capacity)
      const times = new Map<string, number>()
      for (const number of numbers) {
        const key = `key ${number}`
        hottest.note(key)
        times.set(key, (times.get(key) ?? 0) + 1)
      }
      const top = new Map(hottest.top(capacity).map(({ key, count }) => [key, count]))
      const frequent = [...times].filter(([, count]) => count > numbers.length / capacity).map(([key]) => key)
      expect(frequent.filter((key) => !top.has(key))).toEqual([])
      for (const [key, count] of top) expect(count).toBeLessThanOrEqual(times.get(key) as number)
    }),
  )
})

test('what was met long ago fades, and is forgotten', () => {
  const hottest = new Hottest(10)
  for (let i = 0; i < 8; i++) hottest.note('old')
  hottest.fade(0.25)
  for (let i = 0; i < 3; i++) hottest.note('new')
  expect(hottest.top(10)).toEqual([
    { key: 'new', count: 3 },
    { key: 'old', count: 2 },
  ])
  hottest.fade(0.001)
  expect(hottest.top(10)).toEqual([])
})

test('the slowest are kept in place of quicker ones, and for five minutes', () => {
  const slowest = new Slowest(2)
  slowest.note('quick', 10, 0)
  slowest.note('slow', 300, 0)
  slowest.note('slow', 100, 0)
  slowest.note('slower', 500, 1000)
  slowest.note('quickest', 5, 1000)
  expect(slowest.top(10, 1000)).toEqual([
    { key: 'slower', loads: 1, mean: 500, longest: 500 },
    { key: 'slow', loads: 2, mean: 200, longest: 300 },
  ])
  expect(slowest.top(10, 300_500).map(({ key }) => key)).toEqual(['slower'])
})
