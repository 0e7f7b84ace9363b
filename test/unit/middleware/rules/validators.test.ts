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
  ])('%j, %j: %s', (fields, about, expected) => {
    expect(confirms(new FieldMap(Object.entries(fields).flat()), about)).toBe(expected)
  })
})

test('entity tags are compared weakly and strongly', () => {
  expect(matchesWeakly('W/"1"', '"1"')).toBe(true)
  expect(matchesWeakly('"1"', '"2"')).toBe(false)
  expect(matchesStrongly('"1"', '"1"')).toBe(true)
  expect(matchesStrongly('W/"1"', 'W/"1"')).toBe(false)
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
