import { describe, expect, test } from 'vitest'

import { parseCacheControl } from '../../../../src/middleware/rules/cache-control.ts'
import { FieldMap } from '../../../../src/middleware/rules/fields.ts'
import { heuristicLifetime, initialAge, statedLifetime } from '../../../../src/middleware/rules/freshness.ts'
import { formatHttpDate } from '../../../../src/middleware/rules/http-date.ts'

const NOW = Date.UTC(2026, 0, 1)

describe('initialAge', () => {
  test.each([
    ['10', 10_000],
    [' 10 ', 10_000],
    ['10, 20', 10_000],
    ['10,old', 10_000],
    ['99999999999999999999', (2 ** 31 - 1) * 1000],
    // Malformed ones count for nothing: RFC 9111 section 5.1.
    ['old', 0],
    ['-1', 0],
    ['1.5', 0],
    ['10 20', 0],
    ['', 0],
    ['0x10', 0],
    [', 10', 0],
  ])('Age: %s is %s ms', (age, expected) => {
    expect(initialAge(new FieldMap(['Age', age]), NOW, NOW)).toBe(expected)
  })

  test.each([
    ['10', 10_000],
    ['10,20', 10_000],
    ['old', Number.POSITIVE_INFINITY],
    ['10, 20', Number.POSITIVE_INFINITY],
    ['10,old', Number.POSITIVE_INFINITY],
  ])('Age: %s from another server, which has set a Date, is %s ms', (age, expected) => {
    expect(initialAge(new FieldMap(['Date', formatHttpDate(NOW), 'Age', age]), NOW, NOW)).toBe(expected)
  })

  test('of two lines the first counts', () => {
    expect(initialAge(new FieldMap(['Age', '1', 'Age', '2']), NOW, NOW)).toBe(1000)
  })

  test('the time on the way is added to Age; a Date that is earlier counts from a second on', () => {
    expect(initialAge(new FieldMap(['Age', '10']), NOW - 5000, NOW)).toBe(15_000)
    expect(initialAge(new FieldMap([]), NOW - 5000, NOW)).toBe(0)
    expect(initialAge(new FieldMap(['Date', formatHttpDate(NOW - 20_000)]), NOW, NOW)).toBe(20_000)
    expect(initialAge(new FieldMap(['Date', formatHttpDate(NOW)]), NOW, NOW + 999)).toBe(0)
  })
})

test.each([
  ['s-maxage=1, max-age=2', {}, 1000],
  ['max-age=2', { Expires: '0' }, 2000],
  ['', { Expires: formatHttpDate(NOW + 3000) }, 3000],
  ['', { Expires: formatHttpDate(NOW + 3000), Date: formatHttpDate(NOW + 1000) }, 2000],
  ['', { Expires: formatHttpDate(NOW - 3000) }, 0],
  ['', { Expires: 'never' }, 0],
  ['', {}, undefined],
])('statedLifetime: %j, %j', (control, fields, expected) => {
  expect(statedLifetime(parseCacheControl(control), new FieldMap(Object.entries(fields).flat()), NOW)).toBe(expected)
})

test.each([
  [formatHttpDate(NOW - 100_000), 10_000],
  [formatHttpDate(NOW - 1e11), 86_400_000],
  [formatHttpDate(NOW + 1000), 0],
  ['yesterday', undefined],
])('heuristicLifetime: modified %s', (lastModified, expected) => {
  expect(heuristicLifetime(new FieldMap(['Last-Modified', lastModified]), NOW)).toBe(expected)
})
