import { expect, test } from 'vitest'

import { FieldMap } from '../../../../src/middleware/rules/fields.ts'
import { invalidatedTags, tagsOf } from '../../../../src/middleware/stored/groups.ts'

const ORIGIN = 'https://a.example'

test.each([
  ['each by its name, and by its name at its origin', ['"a", "b"'], ['a', `${ORIGIN} a`, 'b', `${ORIGIN} b`]],
  ['in several lines', ['"a"', '"b"'], ['a', `${ORIGIN} a`, 'b', `${ORIGIN} b`]],
  ['without parameters', ['"a";p=1'], ['a', `${ORIGIN} a`]],
  ['none that is no string', ['a, "b", 1'], ['b', `${ORIGIN} b`]],
  ['none that is empty', ['""'], []],
  ['none of a malformed field', ['"a", "b'], []],
  ['none without the field', [], []],
])('the tags of Cache-Groups, RFC 9875 section 2: %s', (_name, lines, tags) => {
  const fields = new FieldMap(lines.flatMap((line) => ['Cache-Groups', line]))
  expect(tagsOf(ORIGIN, fields)).toEqual(tags)
})

test('no more tags than the cache takes, and at least 32 groups', () => {
  const groups = Array.from({ length: 200 }, (_, index) => `"g${index}"`).join(', ')
  const tags = tagsOf(ORIGIN, new FieldMap(['Cache-Groups', groups]))
  expect(tags).toHaveLength(100)
  expect(tags).toContain('g31')
})

test.each([
  ['at its own origin alone', ['"a", "b"'], [`${ORIGIN} a`, `${ORIGIN} b`]],
  ['none of a malformed field', ['"a'], []],
  ['none without the field', [], []],
])('the tags that Cache-Group-Invalidation names, RFC 9875 section 3: %s', (_name, lines, tags) => {
  const fields = new FieldMap(lines.flatMap((line) => ['Cache-Group-Invalidation', line]))
  expect(invalidatedTags(ORIGIN, fields)).toEqual(tags)
})
