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

  test('of two lines from another server none can be trusted', () => {
    const lines = ['Date', formatHttpDate(NOW), 'Age', '1', 'Age', '2']
    expect(initialAge(new FieldMap(lines), NOW, NOW)).toBe(Number.POSITIVE_INFINITY)
  })

  test.each([
    ['the Date is older than Age', 5, NOW - 20_000, NOW, NOW, 20_000],
    ['Age is older than the Date', 30, NOW - 20_000, NOW, NOW, 30_000],
    ['Age and the time on the way together', 15, NOW - 18_000, NOW - 5000, NOW, 20_000],
    ['a Date in the future counts for nothing', 0, NOW + 20_000, NOW, NOW, 0],
    ['a clock that was put back adds nothing', 10, NOW, NOW + 5000, NOW, 10_000],
    ['a Date of just one second ago', 0, NOW - 1000, NOW, NOW, 1000],
    ['a Date of less than a second ago', 0, NOW - 1000, NOW, NOW - 1, 0],
  ])('RFC 9111 section 4.2.3: %s', (_name, age, date, requestedAt, respondedAt, expected) => {
    const fields = new FieldMap(['Age', String(age), 'Date', formatHttpDate(date)])
    expect(initialAge(fields, requestedAt, respondedAt)).toBe(expected)
  })

  test('a Date that is none counts for nothing', () => {
    expect(initialAge(new FieldMap(['Date', 'yesterday']), NOW, NOW)).toBe(0)
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
  ['s-maxage=0, max-age=2', {}, 0],
  ['s-maxage=x, max-age=2', {}, 0],
  ['max-age=0', { Expires: formatHttpDate(NOW + 3000) }, 0],
  ['public', { Expires: formatHttpDate(NOW + 3000), Date: 'yesterday' }, 3000],
  ['stale-while-revalidate=5', {}, undefined],
  ['', { Expires: '' }, 0],
])('statedLifetime: %j, %j', (control, fields, expected) => {
  expect(statedLifetime(parseCacheControl(control), new FieldMap(Object.entries(fields).flat()), NOW)).toBe(expected)
})

test('of two Expires the first counts, RFC 9111 section 4.2.1', () => {
  const fields = ['Expires', formatHttpDate(NOW + 1000), 'Expires', formatHttpDate(NOW + 9000)]
  expect(statedLifetime(parseCacheControl(''), new FieldMap(fields), NOW)).toBe(1000)
})

test('heuristicLifetime counts from the Date of the response, RFC 9111 section 4.2.2', () => {
  const fields = new FieldMap(['Last-Modified', formatHttpDate(NOW - 100_000), 'Date', formatHttpDate(NOW - 50_000)])
  expect(heuristicLifetime(fields, NOW)).toBe(5000)
  expect(heuristicLifetime(new FieldMap(['Date', formatHttpDate(NOW)]), NOW)).toBeUndefined()
})

test('heuristicLifetime has whole milliseconds', () => {
  expect(heuristicLifetime(new FieldMap(['Last-Modified', formatHttpDate(NOW)]), NOW + 1019)).toBe(101)
})

test.each([
  [formatHttpDate(NOW - 100_000), 10_000],
  [formatHttpDate(NOW - 1e11), 86_400_000],
  [formatHttpDate(NOW + 1000), 0],
  ['yesterday', undefined],
])('heuristicLifetime: modified %s', (lastModified, expected) => {
  expect(heuristicLifetime(new FieldMap(['Last-Modified', lastModified]), NOW)).toBe(expected)
})
