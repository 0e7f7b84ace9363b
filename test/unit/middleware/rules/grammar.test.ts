import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  isDigits,
  isToken,
  splitUnquoted,
  tokensIn,
  trimBlanks,
  valueOf,
} from '../../../../src/middleware/rules/grammar.ts'

const text = fc.string({ unit: fc.constantFrom('a', ',', '"', '\\', ' ', '\t', '=', ';'), maxLength: 20 })

test.each([
  ['a', true],
  ["!#$%&'*+-.^_`|~09AZ", true],
  ['', false],
  ['a b', false],
  ['a;', false],
  ['"a"', false],
  ['ä', false],
  ['a\n', false],
])('isToken: %j', (given, expected) => {
  expect(isToken(given)).toBe(expected)
})

test.each([
  ['0', true],
  ['0123456789', true],
  ['', false],
  ['-1', false],
  ['1.5', false],
  [' 1', false],
  ['1\n', false],
  ['\u0661', false],
  ['0x1', false],
])('isDigits: %j', (given, expected) => {
  expect(isDigits(given)).toBe(expected)
})

test('tokensIn finds tokens whatever stands between', () => {
  expect(tokensIn('no-store; private,"a b"=c')).toEqual(['no-store', 'private', 'a', 'b', 'c'])
  expect(tokensIn(' ;"')).toEqual([])
})

test('trimBlanks takes spaces and tabs off both ends, and nothing else', () => {
  expect(trimBlanks(' \ta b\t ')).toBe('a b')
  expect(trimBlanks('\u00a0a\u00a0')).toBe('\u00a0a\u00a0')
  fc.assert(
    fc.property(text, (given) => {
      expect(trimBlanks(given)).toBe(given.replaceAll(/^[ \t]+|[ \t]+$/g, ''))
    }),
  )
})

describe('splitUnquoted', () => {
  test.each([
    ['a, b', ['a', 'b'], false],
    ['a="b, c" ,d', ['a="b, c"', 'd'], false],
    ['a="b\\", c",d', ['a="b\\", c"', 'd'], false],
    ['a,"b, c', ['a', '"b, c'], true],
    ['', [''], false],
    [',', ['', ''], false],
    ['"a\\', ['"a\\'], true],
    ['a\\,b', ['a\\', 'b'], false],
    ['"a"b",c', ['"a"b",c'], true],
    ['"\\\\",b', ['"\\\\"', 'b'], false],
    [' a\t,\t', ['a', ''], false],
  ])('%j', (given, members, unbalanced) => {
    expect(splitUnquoted(given, ',')).toEqual({ members, unbalanced })
  })

  test('at another separator', () => {
    expect(splitUnquoted('a;b="c;d",e ; f', ';').members).toEqual(['a', 'b="c;d",e', 'f'])
  })

  test('finds what a regular expression finds', () => {
    fc.assert(
      fc.property(text, (given) => {
        const masked = given.replaceAll(/"(?:\\[^]|[^"\\])*(?:"|\\?$)/g, (quoted) => 'q'.repeat(quoted.length))
        let start = 0
        const expected = masked.split(',').map((member) => {
          const end = start + member.length
          const original = given.slice(start, end)
          start = end + 1
          return trimBlanks(original)
        })
        expect(splitUnquoted(given, ',').members).toEqual(expected)
      }),
      { numRuns: 3000 },
    )
  })
})

test.each([
  ['a', 'a'],
  ['"a b"', 'a b'],
  ['"a\\"b\\\\"', 'a"b\\'],
  ['""', ''],
  ['', undefined],
  ['"', undefined],
  ['"a', undefined],
  ['a b"', undefined],
  ['"a"b"', undefined],
  ['"a\\"', undefined],
  ['a b', undefined],
])('valueOf: %j', (given, expected) => {
  expect(valueOf(given)).toBe(expected)
})
