import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { keyedUrl, matcherOf } from '../../../../src/middleware/request/query.ts'

const ignoresQuery = matcherOf(['utm_*', 'fbclid', '*_ts'])

describe('keyedUrl', () => {
  test.each([
    ['/a', '/a'],
    ['/a?', '/a'],
    ['/a?b=1', '/a?b=1'],
    ['/a?utm_source=x', '/a'],
    ['/a?utm_source=x&b=1&utm_medium&fbclid=2&c', '/a?b=1&c'],
    ['/a?UTM_source=x', '/a?UTM_source=x'],
    ['/a?utm%5Fsource=x', '/a?utm%5Fsource=x'],
    ['/utm_a?b', '/utm_a?b'],
    ['?utm_a', ''],
    ['/a?b=utm_a&=utm_b', '/a?b=utm_a&=utm_b'],
    ['/a?c=1&b=2', '/a?c=1&b=2'],
    ['/a?b?utm_a=1&c', '/a?b?utm_a=1&c'],
    // Some parsers would see b.
    ['/a?utm_source=x;b=1', '/a?utm_source=x;b=1'],
    // Some parsers see b[c], and drop what follows the bracket.
    ['/a?b[c]_ts=1', '/a?b[c]_ts=1'],
    ['/a?b%5Bc%5D_ts=1', '/a?b%5Bc%5D_ts=1'],
    ['/a?b_ts=1&utm_a[b]=2&utm_a%5bb%5d=3', '/a'],
    // No framework sees b.
    ['/a?utm_source=x#&b=1', '/a?utm_source=x#&b=1'],
    ['/a#?utm_source=x', '/a#?utm_source=x'],
  ])('without ignored parameters: %s', (url, expected) => {
    expect(keyedUrl(url, { ignoresQuery, sortQuery: false })).toBe(expected)
  })

  test('a parameter without a name may be ignored', () => {
    expect(keyedUrl('/a?=1&b', { ignoresQuery: matcherOf(['']), sortQuery: false })).toBe('/a?b')
  })

  test.each([
    ['/a?c=1&b=2', '/a?b=2&c=1'],
    ['?c&b', '?b&c'],
    ['/a?', '/a'],
    ['/a?ab=1&a=2&', '/a?&a=2&ab=1'],
    ['/a?c&b&a&d&c=1&b=1&a=1&d=1', '/a?a&a=1&b&b=1&c&c=1&d&d=1'],
    ['/a?b[%5Bx=1&a&b%5B[c=2', '/a?a&b[%5Bx=1&b%5B[c=2'],
    ['/a?b[1]=1&bb=1&b=2', '/a?b[1]=1&b=2&bb=1'],
    ['/a?b%5b1]=1&b=2&b', '/a?b%5b1]=1&b=2&b'],
    ['/a?[x]=1&%5Bx]=2&=3', '/a?[x]=1&%5Bx]=2&=3'],
    ['/a?b&[x]&a', '/a?[x]&a&b'],
    ['/a?a&[x]=1&=3', '/a?[x]=1&=3&a'],
    ['/a?b=2&a=1&b=1', '/a?a=1&b=2&b=1'],
    ['/a?b[x]=1&a&b[c]=2&b=3', '/a?a&b[x]=1&b[c]=2&b=3'],
    ['/a?b%5Bx%5D=1&b%5bc%5d=2&a', '/a?a&b%5Bx%5D=1&b%5bc%5d=2'],
    ['/a?b=1#d&a', '/a?b=1#d&a'],
    ['/a?c=%62+&b=2', '/a?b=2&c=%62+'],
    // These may be two values of one parameter.
    ['/a?b=1&%62=2&a', '/a?b=1&%62=2&a'],
    ['/a?c+d=1&c%20d=2&a', '/a?c+d=1&c%20d=2&a'],
    ['/a?x;b=1&b=2&a', '/a?x;b=1&b=2&a'],
  ])('sorted: %s', (url, expected) => {
    expect(keyedUrl(url, { ignoresQuery: undefined, sortQuery: true })).toBe(expected)
  })

  test('byte for byte where no option says otherwise', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('?', '&', '=', 'a', '/', ';', '%') }), (url) => {
        expect(keyedUrl(url, { ignoresQuery: undefined, sortQuery: false })).toBe(url)
      }),
    )
  })
})

test('both rules at once: the rest is sorted', () => {
  expect(keyedUrl('/a?c&utm_x&b', { ignoresQuery, sortQuery: true })).toBe('/a?b&c')
})

test.each([
  ['a name without a star', ['a'], 'a', true],
  ['no more than the name', ['a'], 'ab', false],
  ['any of several', ['a', 'b*'], 'bc', true],
  ['none of several', ['a', 'b*'], 'c', false],
  ['a star alone', ['*'], '', true],
  ['a star for no text', ['a*b'], 'ab', true],
  ['start and end do not overlap', ['aba*aba'], 'ababa', false],
  ['parts in their order', ['*a*b*'], 'ba', false],
  ['other characters stand for themselves', ['a.b'], 'axb', false],
  ['no patterns at all', [], '', false],
])('matcherOf: %s', (_name, patterns, name, expected) => {
  expect(matcherOf(patterns)(name)).toBe(expected)
})

test('globs match what the same regular expression matches', () => {
  const text = (...units: string[]) => fc.string({ unit: fc.constantFrom(...units), maxLength: 8 })
  fc.assert(
    fc.property(text('a', 'b', '*'), text('a', 'b'), (pattern, name) => {
      const expected = new RegExp(`^${pattern.replaceAll(/\*+/g, '.*')}$`).test(name)
      expect(matcherOf([pattern])(name)).toBe(expected)
    }),
    { numRuns: 3000 },
  )
})
