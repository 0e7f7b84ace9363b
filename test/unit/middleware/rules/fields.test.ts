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

test.each([
  ['no fields', [], []],
  ['a name without a value, which is left out', ['A', '1', 'B'], ['A', '1']],
  ['the spelling of the first line', ['x-A', '1', 'b', '2', 'X-a', '3'], ['x-A', ['1', '3'], 'b', '2']],
  ['an empty value', ['A', '', 'A', ''], ['A', ['', '']]],
  ['a name that every object has', ['constructor', '1', '__proto__', '2'], ['constructor', '1', '__proto__', '2']],
])('blockOf: %s', (_name, fields, block) => {
  expect(blockOf(fields)).toEqual(block)
})

test('FieldMap leaves out a name without a value', () => {
  expect([...new FieldMap(['A', '1', 'B']).names()]).toEqual(['a'])
})

test('FieldMap has nothing of what every object has', () => {
  const map = new FieldMap([])
  expect([map.has('constructor'), map.get('__proto__'), map.lines('constructor')]).toEqual([false, undefined, []])
})

test('an empty line is a line', () => {
  const map = new FieldMap(['A', '', 'A', 'b'])
  expect([map.has('a'), map.get('a')]).toEqual([true, ', b'])
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
    [[1 as never, 'a'], false],
    [[], true],
    [['A', 'b', 'C', 'd\n'], false],
    [['A', 'b', 'C d', 'e'], false],
    [['A', 'b', 'C', 'd', 'E'], false],
    [['A', '\x1f'], false],
    [['A', '\x7f'], false],
    [['A', '\x80'], true],
    [['A\r', 'b'], false],
    [['A:', 'b'], false],
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

test.each([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization'],
  ...['proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
])('%s is never stored, RFC 9111 section 3.1', (name) => {
  expect(unstorableNames(new FieldMap([])).has(name)).toBe(true)
  expect(unstorableNames(new FieldMap(['Connection', 'x-mine'])).has(name)).toBe(true)
})

test.each(['date', 'age', 'set-cookie', 'cache-control', 'content-length', 'etag', ''])('%s may be stored', (name) => {
  expect(unstorableNames(new FieldMap([])).has(name)).toBe(false)
})

test('Connection may list names in several lines, in any case', () => {
  const names = unstorableNames(new FieldMap(['Connection', 'X-One ,X-TWO', 'connection', 'x-three']))
  expect(['x-one', 'x-two', 'x-three'].map((name) => names.has(name))).toEqual([true, true, true])
})

test.each([
  ['no names', ['A', '1'], [], ['A', '1']],
  ['all of a name, in any case', ['A', '1', 'b', '2', 'a', '3'], ['a'], ['b', '2']],
  ['a name without a value, which is left out', ['A', '1', 'B'], [], ['A', '1']],
  ['names that are not there', ['A', '1', 'B', '2'], ['c'], ['A', '1', 'B', '2']],
])('without %s', (_name, fields, names, kept) => {
  expect(without(fields, new Set(names))).toEqual(kept)
})

test('fieldsNamed and without part the fields by name', () => {
  expect(fieldsNamed(FIELDS, 'set-cookie')).toEqual(['set-cookie', 'x', 'set-cookie', 'y', 'set-cookie', 'z'])
  expect(without(FIELDS, new Set(['set-cookie']))).toEqual(['A', '1'])
})
