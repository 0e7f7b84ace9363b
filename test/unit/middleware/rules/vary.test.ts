import { describe, expect, test } from 'vitest'

import { joinedFields, selectingKey, selectingValue, varyFields } from '../../../../src/middleware/rules/vary.ts'

const names = (count: number) => Array.from({ length: count }, (_, index) => `x-${index + 10}`)

describe('varyFields', () => {
  test('as many names as are told apart, also with repetitions', () => {
    expect(varyFields(names(16).join())).toEqual(names(16))
    expect(varyFields([...names(16), ...names(16)].join())).toEqual(names(16))
    expect(varyFields(names(17).join())).toBeUndefined()
  })

  test.each([
    [undefined, []],
    ['', []],
    ['Accept', ['accept']],
    ['B , a,, b', ['a', 'b']],
    ['*', undefined],
    ['Accept, *', undefined],
    [', *', undefined],
    ['constructor', ['constructor']],
    ['__proto__', undefined],
    ['Accept Cookie', undefined],
    ['Accept; Cookie', undefined],
    ['"Accept"', undefined],
    [Array.from({ length: 17 }, (_, index) => `x-${index}`).join(), undefined],
  ])('%s', (value, names) => {
    expect(varyFields(value)).toEqual(names)
  })
})

describe('selectingValue', () => {
  test.each([
    ['x-list', 'a ,  b', 'a,b'],
    ['x-list', 'A,b', 'A,b'],
    ['accept-language', 'DE, en;q=0.5', 'de,en;q=0.5'],
    ['x-list', '', ''],
    ['x-list', ' \ta\t ,\tb ', 'a,b'],
    ['x-list', '"a , b" , c', '"a , b",c'],
    ['x-list', '\u00a0a', '\u00a0a'],
    ['x-list', ' a b ', 'a b'],
    ['x-list', 'a,,b', 'a,,b'],
    ['accept-encoding', 'GZip', 'gzip'],
    ['accept', 'Text/HTML', 'Text/HTML'],
    ['accept-language', '', ''],
  ])('%s: %s', (name, value, expected) => {
    expect(selectingValue({ [name]: value }, name)).toBe(expected)
  })

  test('lines are combined, RFC 9110 section 5.2', () => {
    expect(selectingValue({ 'x-list': ['a', ' b '] }, 'x-list')).toBe('a,b')
    expect(selectingValue({ 'accept-language': ['DE', 'en'] }, 'accept-language')).toBe('de,en')
    expect(selectingValue({ 'x-list': [] }, 'x-list')).toBe('')
  })

  test('an absent field is not an empty one', () => {
    expect(selectingValue({}, 'x-list')).toBeUndefined()
    expect(selectingValue({ 'x-list': undefined }, 'x-list')).toBeUndefined()
  })

  test('what every object inherits is no field', () => {
    expect(selectingValue({}, 'constructor')).toBeUndefined()
    expect(selectingValue({ constructor: 'a' }, 'constructor')).toBe('a')
  })
})

describe('joinedFields', () => {
  test.each([
    ['both together, sorted', ['b', 'a'], ['c', 'a'], ['a', 'b', 'c']],
    ['only first ones', ['a'], [], ['a']],
    ['only second ones', [], ['b'], ['b']],
    ['none', [], [], []],
    ['one name that no request can match', ['a'], ['*'], undefined],
    ['too many together', names(10), names(20).slice(10), undefined],
  ])('%s', (_name, first, second, expected) => {
    expect(joinedFields(first, second)).toEqual(expected)
  })
})

describe('selectingKey', () => {
  test.each([
    ['no names', {}, [], ''],
    ['a value', { a: 'x' }, ['a'], '1:x'],
    ['an empty value', { a: '' }, ['a'], '0:'],
    ['an absent field', {}, ['a'], '-'],
    ['several', { b: 'y z', c: 'w' }, ['a', 'b', 'c'], '-3:y z1:w'],
    ['the form in which equal meanings are equal', { a: 'x ,  y' }, ['a'], '3:x,y'],
  ] as Array<[string, Record<string, string>, string[], string]>)('%s', (_name, headers, selecting, expected) => {
    expect(selectingKey(headers, selecting)).toBe(expected)
  })

  test('no value can pass for others', () => {
    const given = [{ a: '1:x' }, { a: '1', b: 'x' }, { b: '1:x' }, { a: '-' }, { a: '', b: '' }, { b: '-' }, {}]
    expect(new Set(given.map((headers) => selectingKey(headers, ['a', 'b']))).size).toBe(given.length)
  })
})
