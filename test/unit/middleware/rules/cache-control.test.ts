import { describe, expect, test } from 'vitest'

import { parseCacheControl } from '../../../../src/middleware/rules/cache-control.ts'

describe('parseCacheControl', () => {
  test.each([
    ['max-age=60', 60],
    ['MaX-AgE=60', 60],
    ['max-age="60"', 60],
    ['foo, max-age=060, bar="x"', 60],
    ['max-age=99999999999', 2 ** 31 - 1],
    ['max-age=-1', 0],
    ['max-age=1.5', 0],
    ['max-age', 0],
    ['max-age=', 0],
    ["max-age='60'", 0],
    ['max-age =60', 0],
    ['max-age= 60', 0],
    ['max-age=60, max-age=10', 10],
    ['extension="max-age=60"', undefined],
    ['extension="a\\", max-age=60", max-age=1', 1],
    ['', undefined],
  ])('%s: maxAge is %s', (text, maxAge) => {
    expect(parseCacheControl(text).maxAge).toBe(maxAge)
  })

  test('reads every directive of a shared cache', () => {
    expect(
      parseCacheControl(
        'public, s-maxage=1, must-revalidate, proxy-revalidate, must-understand, no-store, stale-while-revalidate=2, stale-if-error=3',
      ),
    ).toMatchObject({
      public: true,
      sharedMaxAge: 1,
      mustRevalidate: true,
      proxyRevalidate: true,
      mustUnderstand: true,
      noStore: true,
      staleWhileRevalidate: 2,
      staleIfError: 3,
    })
  })

  test.each([
    ['private', true],
    ['private="X-User, Set-Cookie"', ['x-user', 'set-cookie']],
    ['private="a", private="b"', ['a', 'b']],
    ['private="a", private', true],
    ['private=""', true],
  ])('%s', (text, expected) => {
    expect(parseCacheControl(text).private).toEqual(expected)
  })

  test.each([
    ['no-store; private', { noStore: true, private: true }],
    ['private;', { private: true }],
    ['no-store;', { noStore: true }],
    ['private max-age=0', { private: true }],
    ['max-age=60; private', { private: true, maxAge: 0 }],
    ['no-cache no-store', { noCache: true, noStore: true }],
    ['NO-CACHE; must-revalidate', { noCache: true }],
    ['private="a"b', { private: true }],
    ['private="a b"', { private: true }],
    ['no-cache =x', { noCache: true }],
    ['must-understand, no-store;', { noStore: true, mustUnderstand: false }],
    ['must-revalidate=', { mustRevalidate: true }],
  ])('%s: a malformed member that has a forbidding word forbids', (text, expected) => {
    expect(parseCacheControl(text)).toMatchObject(expected)
  })

  test.each(['x="private"', 'my-private', 'no-storexx', 'x=no-store', 'private_', 'max-age=60'])(
    '%s: a well-formed member is what it is',
    (text) => {
      expect(parseCacheControl(text)).toMatchObject({ private: false, noStore: false, noCache: false })
    },
  )

  test.each(['public;', 'public=', 'public s-maxage=60'])('%s allows nothing', (text) => {
    expect(parseCacheControl(text)).toMatchObject({ public: false, sharedMaxAge: undefined })
  })

  test('an unbalanced quote may hide anything, so that nothing is stored', () => {
    expect(parseCacheControl('max-age=60, a="b, private').noStore).toBe(true)
  })
})
