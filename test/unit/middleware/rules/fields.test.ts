import { describe, expect, test } from 'vitest'

import {
  areSafe,
  blockOf,
  FieldMap,
  fieldsNamed,
  unstorableNames,
  without,
} from '../../../../src/middleware/rules/fields.ts'

const FIELDS = ['A', '1', 'Set-Cookie', 'x', 'set-cookie', 'y', 'SET-COOKIE', 'z']

test('blockOf has the lines of a repeated field in one array', () => {
  expect(blockOf(FIELDS)).toEqual(['A', '1', 'Set-Cookie', ['x', 'y', 'z']])
})

test('FieldMap knows fields by their lower-case names', () => {
  const map = new FieldMap(FIELDS)
  expect([map.get('a'), map.get('set-cookie'), map.get('b')]).toEqual(['1', 'x, y, z', undefined])
  expect([map.has('a'), map.has('A'), [...map.names()]]).toEqual([true, false, ['a', 'set-cookie']])
  expect([map.lines('set-cookie'), map.lines('b')]).toEqual([['x', 'y', 'z'], []])
})

describe('areSafe', () => {
  test.each([
    [['A', 'b c'], true],
    [['A', ''], true],
    [['A', 'ÿ\t'], true],
    [['A', 'b\r\nX: y'], false],
    [['A', 'b\0'], false],
    [['A', 'Ā'], false],
    [['A b', 'c'], false],
    [['', 'c'], false],
    [['A'], false],
    [['A', 1 as never], false],
  ])('%j: %s', (fields, safe) => {
    expect(areSafe(fields)).toBe(safe)
  })
})

test('what belongs to the connection is not stored, nor what Connection lists', () => {
  const names = unstorableNames(new FieldMap(['Connection', 'close, X-Mine']))
  expect(['connection', 'x-mine', 'transfer-encoding', 'etag'].map((name) => names.has(name))).toEqual([
    ...[true, true, true, false],
  ])
  expect(unstorableNames(new FieldMap([])).has('x-mine')).toBe(false)
})

test('fieldsNamed and without part the fields by name', () => {
  expect(fieldsNamed(FIELDS, 'set-cookie')).toEqual(['set-cookie', 'x', 'set-cookie', 'y', 'set-cookie', 'z'])
  expect(without(FIELDS, new Set(['set-cookie']))).toEqual(['A', '1'])
})
