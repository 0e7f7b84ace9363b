import { describe, expect, test } from 'vitest'

import { cacheControlOf, MAX_DELTA_SECONDS, parseCacheControl } from '../../../../src/middleware/rules/cache-control.ts'

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
    ['max-age=10, max-age=60', 10],
    ['max-age=60, max-age=x', 0],
    ['max-age=2147483648', 2 ** 31 - 1],
    [',, max-age=60,', 60],
    ['=max-age, max-age=60', 60],
    ['\u00a0max-age=60', undefined],
    ['extension="max-age=60"', undefined],
    ['extension="a\\", max-age=60", max-age=1', 1],
    ['', undefined],
  ])('%s: maxAge is %s', (text, maxAge) => {
    expect(parseCacheControl(text).maxAge).toBe(maxAge)
  })

  const NOTHING = {
    maxAge: undefined,
    sharedMaxAge: undefined,
    staleWhileRevalidate: undefined,
    staleIfError: undefined,
    noCache: false,
    private: false,
    noStore: false,
    public: false,
    mustRevalidate: false,
    proxyRevalidate: false,
    mustUnderstand: false,
    onlyIfCached: false,
  }

  test.each([
    ['an absent field', undefined, {}],
    ['an empty field', '', {}],
    ['unknown directives, RFC 9111 section 5.2.3', 'immutable, community="UCI", x=1', {}],
    ['no-transform, which is for others', 'no-transform', {}],
    ['max-age', 'max-age=1', { maxAge: 1 }],
    ['s-maxage', 's-maxage=1', { sharedMaxAge: 1 }],
    ['stale-while-revalidate, RFC 5861', 'stale-while-revalidate=1', { staleWhileRevalidate: 1 }],
    ['stale-if-error, RFC 5861', 'stale-if-error=1', { staleIfError: 1 }],
    ['no-cache', 'no-cache', { noCache: true }],
    ['private', 'private', { private: true }],
    ['no-store', 'no-store', { noStore: true }],
    ['public', 'public', { public: true }],
    ['must-revalidate', 'must-revalidate', { mustRevalidate: true }],
    ['proxy-revalidate', 'proxy-revalidate', { proxyRevalidate: true }],
    ['must-understand', 'must-understand', { mustUnderstand: true }],
    ['only-if-cached', 'only-if-cached', { onlyIfCached: true }],
    ['an argument where none belongs', 'no-store=1, public="x"', { noStore: true, public: true }],
    ['a directive named like a member of every object', 'constructor, __proto__=1', {}],
    ['a malformed member without a forbidding word', 'public=', {}],
  ])('%s says this and no more', (_name, text, said) => {
    expect(parseCacheControl(text)).toEqual({ ...NOTHING, ...said })
  })

  test.each([
    ['s-maxage=2, s-maxage=1, s-maxage=3', { sharedMaxAge: 1 }],
    ['stale-while-revalidate=2, stale-while-revalidate=1', { staleWhileRevalidate: 1 }],
    ['stale-if-error=2, stale-if-error=1', { staleIfError: 1 }],
    ['stale-while-revalidate, stale-if-error=x', { staleWhileRevalidate: 0, staleIfError: 0 }],
    ['s-maxage="5"', { sharedMaxAge: 5 }],
  ])('%s: the strictest counts', (text, expected) => {
    expect(parseCacheControl(text)).toEqual({ ...NOTHING, ...expected })
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
    ['private, private="a"', true],
    ['private="a", private="b, c", private=d', ['a', 'b', 'c', 'd']],
    ['private=" a ,, B,"', ['a', 'b']],
    ['private=" , "', true],
    ['private=X-User', ['x-user']],
    ['private="a, b c"', true],
  ])('%s, RFC 9111 section 5.2.2.7', (text, expected) => {
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

  test('what stands before an unbalanced quote counts as well', () => {
    expect(parseCacheControl('private, a="b')).toMatchObject({ noStore: true, private: true, mustUnderstand: false })
    expect(parseCacheControl('must-understand, no-store, a="b')).toMatchObject({ noStore: true, mustUnderstand: false })
  })

  test('an unbalanced quote may hide anything, so that nothing is stored', () => {
    expect(parseCacheControl('max-age=60, a="b, private').noStore).toBe(true)
  })
})

describe('cacheControlOf, of directives that were parsed elsewhere', () => {
  test.each([
    ['one without an argument', ['max-age', true], { maxAge: 0 }],
    ['one with a malformed argument', ['max-age', undefined], { maxAge: 0 }],
    ['the longest time', ['max-age', '9'.repeat(400)], { maxAge: MAX_DELTA_SECONDS }],
    ['a malformed word that forbids', ['no-store', undefined], { noStore: true }],
    ['a malformed word that restricts', ['must-revalidate', undefined], { mustRevalidate: true }],
    ['a malformed word that allows', ['public', undefined], { public: false, noStore: false }],
    ['a malformed restriction', ['no-cache', undefined], { noCache: true }],
  ] as const)('%s', (_name, directive, expected) => {
    expect(cacheControlOf([directive])).toMatchObject(expected)
  })
})
