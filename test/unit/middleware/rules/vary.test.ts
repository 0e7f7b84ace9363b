import { describe, expect, test } from 'vitest'

import { selectingValue, varyFields } from '../../../../src/middleware/rules/vary.ts'

describe('varyFields', () => {
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
  ])('%s: %s', (name, value, expected) => {
    expect(selectingValue({ [name]: value }, name)).toBe(expected)
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
