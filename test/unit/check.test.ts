import { describe, expect, it, test } from 'vitest'
import {
  checkArray,
  checkBoolean,
  checkFunction,
  checkKey,
  checkMethods,
  checkNonEmptyString,
  checkNumber,
  checkObject,
  checkOneOf,
  checkSignal,
  checkString,
  checkVersion,
  count,
  duration,
  MAX_DURATION,
  positiveDuration,
  wholeNumber,
} from '../../src/check.ts'

const isHalf = (number: number): boolean => number === 0.5

test.each([
  ['an object', () => checkObject('o', null), TypeError, 'o must be an object, received null'],
  ['an object', () => checkObject('o', 7, 'a box'), TypeError, 'o must be a box, received 7'],
  ['methods', () => checkMethods('o', undefined, 'a Cache', ['a']), TypeError, 'o must be a Cache, received undefined'],
  [
    'methods',
    () => checkMethods('o', { a() {} }, 'a Cache', ['a', 'b']),
    TypeError,
    'o must be a Cache, received an object',
  ],
  ['a function', () => checkFunction('o', 'f'), TypeError, 'o must be a function, received "f"'],
  ['a signal', () => checkSignal({ aborted: false }), TypeError, 'signal must be an AbortSignal, received an object'],
  ['an array', () => checkArray('o', 'ab', 'a list'), TypeError, 'o must be a list, received "ab"'],
  ['a key', () => checkKey(Symbol('key')), TypeError, 'key must be a non-empty string, received a symbol'],
  [
    'a version',
    () => checkVersion(null),
    TypeError,
    'version must be a non-empty string or a finite number, received null',
  ],
  [
    'a version',
    () => checkVersion(''),
    RangeError,
    'version must be a non-empty string or a finite number, received ""',
  ],
  [
    'a version',
    () => checkVersion(NaN),
    TypeError,
    'version must be a non-empty string or a finite number, received NaN',
  ],
  ['a key', () => checkKey(''), RangeError, 'key must be a non-empty string, received ""'],
  [
    'a key',
    () => checkKey('\ud800', 'tag'),
    RangeError,
    'tag must be a string without lone surrogates, received "\\ud800"',
  ],
  ['a string', () => checkString('o', 1n), TypeError, 'o must be a string, received 1n'],
  ['a non-empty string', () => checkNonEmptyString('o', 1), TypeError, 'o must be a non-empty string, received 1'],
  ['a non-empty string', () => checkNonEmptyString('o', ''), RangeError, 'o must be a non-empty string, received ""'],
  ['a boolean', () => checkBoolean('o', 1), TypeError, 'o must be a boolean, received 1'],
  ['a choice', () => checkOneOf('o', 'c', ['a', 'b']), RangeError, "o must be 'a' or 'b', received \"c\""],
  ['a number', () => checkNumber('o', '1', 'a half', isHalf), TypeError, 'o must be a half, received "1"'],
  ['a number', () => checkNumber('o', Number.NaN, 'a half', isHalf), RangeError, 'o must be a half, received NaN'],
  ['a whole number', () => count('o', 0.5), RangeError, 'o must be a whole number above 0, received 0.5'],
  ['a whole number', () => count('o', []), TypeError, 'o must be a whole number above 0, received an array'],
  [
    'a duration',
    () => duration('o', -1),
    RangeError,
    'o must be a whole number of milliseconds, 0 or more, received -1',
  ],
  [
    'a duration',
    () => positiveDuration('o', 0),
    RangeError,
    'o must be a whole number of milliseconds above 0, received 0',
  ],
])('what is not %s is refused by name', (_what, run, type, message) => {
  let error: unknown
  try {
    run()
  } catch (caught) {
    error = caught
  }
  expect(error).toBeInstanceOf(type)
  expect((error as Error).message).toBe(message)
})

test('what is right comes back as it is', () => {
  const signal = new AbortController().signal
  const codec = { encode() {}, decode() {} }
  expect(checkSignal(undefined)).toBe(undefined)
  expect(checkSignal(signal)).toBe(signal)
  expect(checkMethods('codec', codec, 'a codec', ['encode', 'decode'])).toBe(codec)
  expect(checkMethods('text', 'text', 'a text', ['slice'])).toBe('text')
  expect(checkKey('a\u0000{}')).toBe('a\u0000{}')
  expect(checkOneOf('o', 'b', ['a', 'b'])).toBe('b')
  expect(checkNumber('o', 0.5, 'a half', isHalf)).toBe(0.5)
  expect(checkArray('o', [1], 'a list')).toEqual([1])
})

describe('whole numbers', () => {
  it('are cut to what is honoured at most', () => {
    for (const value of [Infinity, 2 ** 60]) {
      expect(duration('o', value)).toBe(MAX_DURATION)
      expect(positiveDuration('o', value, 1000)).toBe(1000)
      expect(count('o', value)).toBe(Number.MAX_SAFE_INTEGER)
      expect(wholeNumber('o', value, { least: 0, most: 7, expected: 'few' })).toBe(7)
    }
  })

  it('are taken from the least on', () => {
    expect(duration('o', 0)).toBe(0)
    expect(positiveDuration('o', 1)).toBe(1)
    expect(count('o', 1)).toBe(1)
  })
})
