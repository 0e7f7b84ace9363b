import { describe, expect, test } from 'vitest'

import { besideOuterFields } from '../../../../src/middleware/answer/beside-outer.ts'
import type { FieldBlock } from '../../../../src/middleware/rules/fields.ts'

describe('beside what layers outside have set', () => {
  test.each<[string, Record<string, string | string[]>, string[], FieldBlock, FieldBlock]>([
    ['the stored value counts', { 'X-A': 'outer' }, [], ['X-A', '1'], ['X-A', '1']],
    ['what adds to theirs is joined', { link: '</a>' }, ['link'], ['Link', '</b>'], ['Link', ['</a>', '</b>']]],
    [
      'Vary is always joined, each name once',
      { vary: 'Origin, Accept' },
      [],
      ['Vary', 'Accept'],
      ['Vary', 'Origin, Accept'],
    ],
    ['Vary is joined once', { vary: 'Origin' }, ['vary'], ['Vary', 'Accept'], ['Vary', 'Origin, Accept']],
    ['nothing is joined to nothing', {}, ['link'], ['Link', '</b>'], ['Link', '</b>']],
    ['what is not stored stays theirs', { vary: 'Origin' }, [], ['X-A', '1'], ['X-A', '1']],
  ])('%s', (_name, outer, joins, fields, expected) => {
    const before = [...fields]
    expect(besideOuterFields((name) => outer[name], joins, fields)).toEqual(expected)
    expect(fields).toEqual(before)
  })
})
