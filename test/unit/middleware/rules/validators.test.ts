import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { FieldMap } from '../../../../src/middleware/rules/fields.ts'
import { confirms, entityTags, matchesStrongly, matchesWeakly } from '../../../../src/middleware/rules/validators.ts'

const MONDAY = 'Mon, 05 Jan 2026 10:00:00 GMT'
const TUESDAY = 'Tue, 06 Jan 2026 10:00:00 GMT'

describe('a 304 is about the stored response', () => {
  const stored = { etag: '"1"', lastModified: MONDAY }
  test.each([
    [{}, stored, true],
    [{ ETag: '"1"' }, stored, true],
    [{ ETag: 'W/"1"' }, stored, true],
    [{ ETag: '"1"', 'Last-Modified': TUESDAY }, stored, true],
    [{ 'Last-Modified': MONDAY }, stored, true],
    [{ ETag: '"2"' }, stored, false],
    [{ ETag: '"2"', 'Last-Modified': MONDAY }, stored, false],
    [{ 'Last-Modified': TUESDAY }, stored, false],
    [{ ETag: '"1"' }, { etag: undefined, lastModified: MONDAY }, false],
    [{ ETag: '"1"', 'Last-Modified': MONDAY }, { etag: undefined, lastModified: MONDAY }, false],
    [{ ETag: '' }, stored, false],
    [{ ETag: 'w/"1"' }, stored, false],
    [{ 'Last-Modified': MONDAY }, { etag: '"1"', lastModified: undefined }, false],
    [{ Date: TUESDAY, 'Cache-Control': 'max-age=60' }, stored, true],
    [{}, { etag: undefined, lastModified: undefined }, true],
  ])('%j, %j: %s', (fields, about, expected) => {
    expect(confirms(new FieldMap(Object.entries(fields).flat()), about)).toBe(expected)
  })
})

test.each([
  // The table of RFC 9110 section 8.8.3.2.
  ['W/"1"', 'W/"1"', false, true],
  ['W/"1"', 'W/"2"', false, false],
  ['W/"1"', '"1"', false, true],
  ['"1"', '"1"', true, true],
  ['"1"', 'W/"1"', false, true],
  ['"1"', '"2"', false, false],
  // A weak tag starts with a W, exactly.
  ['w/"1"', 'w/"1"', true, true],
  ['w/"1"', '"1"', false, false],
  ['""', '""', true, true],
])('%s and %s: strongly %s, weakly %s', (one, other, strongly, weakly) => {
  expect([matchesStrongly(one, other), matchesWeakly(one, other)]).toEqual([strongly, weakly])
})

describe('entityTags', () => {
  test.each([
    ['"a"', ['"a"']],
    ['"a", W/"b"', ['"a"', 'W/"b"']],
    ['"a, b" ,"c"', ['"a, b"', '"c"']],
    ['"a""b"', ['"a"', '"b"']],
    ['a, b', ['a', 'b']],
    ['W/, W/a', ['W/', 'W/a']],
    [' , ,', []],
    ['\t"a"\t,\t"b"\t', ['"a"', '"b"']],
    ['*', ['*']],
    ['""', ['""']],
    ['"", "b"', ['""', '"b"']],
    ['W/"a"W/"b"', ['W/"a"', 'W/"b"']],
    ['w/"a b"', ['w/"a', 'b"']],
    ['a"b c"', ['a"b', 'c"']],
    ['"a', ['"a']],
    ['W/"a b', ['W/"a']],
    ['"a"b', ['"a"', 'b']],
    ['', []],
    ['"a", "open, b', ['"a"', '"open']],
  ])('%s', (list, tags) => {
    expect(entityTags(list)).toEqual(tags)
  })

  test('finds every tag of a list, whatever stands between them', () => {
    const tag = fc.constantFrom('"a"', 'W/"b"', '""', '"c, d"', 'bare', 'W/bare')
    const gap = fc.constantFrom(',', ', ', ' ,\t', ',,', ' ')
    fc.assert(
      fc.property(fc.array(fc.tuple(tag, gap)), (list) => {
        expect(entityTags(list.flat().join(''))).toEqual(list.map(([each]) => each))
      }),
    )
  })
})
