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

test.each([
  ['the last second of a day', 'Sun, 06 Nov 1994 23:59:59 GMT', Date.UTC(1994, 10, 6, 23, 59, 59)],
  ['a leap second', 'Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2017, 0, 1)],
  ['the day of a leap year', 'Thu, 29 Feb 2024 00:00:00 GMT', Date.UTC(2024, 1, 29)],
  ['no such day of the month', 'Thu, 29 Feb 2025 00:00:00 GMT', undefined],
  ['no such day of any month', 'Sunday, 32-Nov-94 08:49:37 GMT', undefined],
  ['a day before the first', 'Sun Nov  0 08:49:37 1994', undefined],
  ['no such hour', 'Sun, 06 Nov 1994 24:00:00 GMT', undefined],
  ['no such minute', 'Sun, 06 Nov 1994 08:60:00 GMT', undefined],
  ['no such second', 'Sun, 06 Nov 1994 08:49:61 GMT', undefined],
])('a day and a time that exist, RFC 9110 section 5.6.7: %s', (_name, text, at) => {
  expect(parseHttpDate(text, NOW)).toBe(at)
})

test.each([
  ['50 years ahead', 'Thursday, 18-Aug-76 02:01:18 GMT', 2076],
  ['51 years ahead', 'Thursday, 18-Aug-77 02:01:18 GMT', 1977],
  ['this year', 'Thursday, 18-Aug-26 02:01:18 GMT', 2026],
  ['the last year of this century', 'Thursday, 18-Aug-99 02:01:18 GMT', 1999],
  ['the first year of this century', 'Friday, 18-Aug-00 02:01:18 GMT', 2000],
])('the century of two digits: %s', (_name, text, year) => {
  expect(parseHttpDate(text, NOW)).toBe(Date.UTC(year, 7, 18, 2, 1, 18))
})

test.each([
  ['a prefix', 'x Sun, 06 Nov 1994 08:49:37 GMT'],
  ['a suffix', 'Sunday, 06-Nov-94 08:49:37 GMT+1'],
  ['more after a year', 'Sun Nov  6 08:49:37 1994 GMT'],
  ['a day of one digit', 'Sun, 6 Nov 1994 08:49:37 GMT'],
  ['an hour of one digit', 'Sun, 06 Nov 1994 8:49:37 GMT'],
  ['a zone by number', 'Sun, 06 Nov 1994 08:49:37 +0000'],
  ['no day of the week', '06 Nov 1994 08:49:37 GMT'],
  ['two spaces', 'Sun,  06 Nov 1994 08:49:37 GMT'],
])('none of the three formats: %s', (_name, text) => {
  expect(parseHttpDate(text, NOW)).toBeUndefined()
})

test('words in any case', () => {
  expect(parseHttpDate('SUN, 06 nov 1994 08:49:37 gmt', NOW)).toBe(EXAMPLE)
})

test('what is formatted is read back, to the second', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(2200, 0) }), (at) => {
      expect(parseHttpDate(formatHttpDate(at), NOW)).toBe(at - (at % 1000))
    }),
  )
})
