import fc from 'fast-check'
import { expect, test } from 'vitest'

import { formatHttpDate, parseHttpDate } from '../../../../src/middleware/rules/http-date.ts'

const NOW = Date.UTC(2026, 0, 1)
const EXAMPLE = Date.UTC(1994, 10, 6, 8, 49, 37)

test.each([
  ['Sun, 06 Nov 1994 08:49:37 GMT', EXAMPLE],
  ['Sunday, 06-Nov-94 08:49:37 GMT', EXAMPLE],
  ['Sun Nov  6 08:49:37 1994', EXAMPLE],
  ['Thursday, 18-Aug-50 02:01:18 GMT', Date.UTC(2050, 7, 18, 2, 1, 18)],
  ['Thursday, 18-Aug-77 02:01:18 GMT', Date.UTC(1977, 7, 18, 2, 1, 18)],
  ['0', undefined],
  ['', undefined],
  ['2026', undefined],
  ['Sun, 06 Nov 1994 08:49:37 UTC', undefined],
  ['Sun, 06 Foo 1994 08:49:37 GMT', undefined],
])('%s', (text, at) => {
  expect(parseHttpDate(text, NOW)).toBe(at)
})

test('what is formatted is read back, to the second', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(2200, 0) }), (at) => {
      expect(parseHttpDate(formatHttpDate(at), NOW)).toBe(at - (at % 1000))
    }),
  )
})
