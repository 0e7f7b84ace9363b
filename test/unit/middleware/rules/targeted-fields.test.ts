import { describe, expect, test } from 'vitest'

import { FieldMap } from '../../../../src/middleware/rules/fields.ts'
import { capabilityOf, instructionsOf, parseGroups } from '../../../../src/middleware/rules/targeted-fields.ts'

const NAMES = ['cdn-cache-control', 'surrogate-control']

function read(fields: Record<string, string>) {
  return instructionsOf(new FieldMap(Object.entries(fields).flat()), NAMES)
}

describe('a targeted field', () => {
  test.each([
    ['max-age=60', { maxAge: 60 }],
    ['max-age=60;ext=1, no-store=?0', { maxAge: 60, noStore: false }],
    ['no-store', { noStore: true }],
    ['private="x-user"', { private: ['x-user'] }],
    ['no-cache=x-user', { noCache: ['x-user'] }],
    ['max-age=-1', { maxAge: 0 }],
    ['unknown="1", public', { public: true }],
    ['unknown=(a b), unknown2=1.5, max-age=1', { maxAge: 1 }],
    ['s-maxage=1, stale-while-revalidate=2, stale-if-error=3', { sharedMaxAge: 1, staleWhileRevalidate: 2 }],
    ['stale-if-error=3', { staleIfError: 3 }],
    ['must-revalidate, proxy-revalidate', { mustRevalidate: true, proxyRevalidate: true }],
    ['must-understand', { mustUnderstand: true }],
    ['private, no-cache', { private: true, noCache: true }],
    ['private=?0, no-cache=?0, public=?0', { private: false, noCache: false, public: false }],
    ['no-cache="a, b"', { noCache: ['a', 'b'] }],
    ['private=""', { private: true }],
    ['max-age=60, max-age=10', { maxAge: 10 }],
    ['max-age=0', { maxAge: 0, private: false }],
    ['max-age=-0', { maxAge: 0 }],
    ['max-age=999999999999999', { maxAge: 2 ** 31 - 1 }],
  ])('%s counts', (value, expected) => {
    expect(read({ 'CDN-Cache-Control': value, 'Cache-Control': 'private' })).toMatchObject({
      targeted: true,
      control: expected,
    })
  })

  test.each([
    ...['', 'max-age=60,', 'max-age', 'max-age="60"', 'max-age=60.5', 'max-age=(60)', 'max-age=sixty', 'MAX-AGE=60'],
    ...['proxy-revalidate=1', 'must-understand="a"', 'stale-while-revalidate=a', 'stale-if-error', 'private=1.5'],
    ...['no-store=1', 'public="yes"', 'private=1', 'no-cache=("a")', 'must-revalidate=yes', 's-maxage=?1'],
  ])('%s is malformed, or has a member of the wrong type: Cache-Control counts', (value) => {
    expect(read({ 'CDN-Cache-Control': value, 'Cache-Control': 'private' })).toMatchObject({
      targeted: false,
      control: { private: true },
    })
  })
})

describe('Surrogate-Control', () => {
  test.each([
    ['max-age=60', { maxAge: 60 }],
    ['max-age=60;herdlock, max-age=5;other', { maxAge: 60 }],
    ['no-store, content="ESI/1.0"', { noStore: true }],
    ['no-store;herdlock', { noStore: true }],
    ['content="ESI/1.0', { noStore: true }],
    ['s-maxage=5', { sharedMaxAge: 5 }],
    ['private', { private: true }],
    ['no-cache', { noCache: true }],
    ['private="a"', { private: ['a'] }],
    ['max-age=60 ; herdlock', { maxAge: 60 }],
    ['max-age=60;other, max-age=5', { maxAge: 5 }],
    ['max-age', { maxAge: 0 }],
  ])('%s counts', (value, expected) => {
    expect(read({ 'Surrogate-Control': value })).toMatchObject({ targeted: true, control: expected })
  })

  test.each([
    'content="ESI/1.0"',
    'content="a, max-age=60"',
    'max-age=60;other',
    'no-store;other',
    'public',
    '',
    ', ,',
  ])('%s says nothing of storing here: Cache-Control counts', (value) => {
    expect(read({ 'Surrogate-Control': value, 'Cache-Control': 'private' })).toMatchObject({
      targeted: false,
      control: { private: true },
    })
  })

  test('is announced only where it counts', () => {
    expect(capabilityOf({ targetedFields: NAMES })).toBe('herdlock="Surrogate/1.0"')
    expect(capabilityOf({ targetedFields: ['cdn-cache-control'] })).toBeUndefined()
  })
})

test('the first field that is present and well-formed counts', () => {
  const both = { 'CDN-Cache-Control': 'max-age=1', 'Surrogate-Control': 'max-age=2' }
  expect(read(both).control.maxAge).toBe(1)
  expect(read({ ...both, 'CDN-Cache-Control': 'max-age' }).control.maxAge).toBe(2)
  expect(read({ ...both, 'CDN-Cache-Control': '' }).control.maxAge).toBe(2)
  expect(read({ 'Cache-Control': 'max-age=3' })).toMatchObject({ targeted: false, control: { maxAge: 3 } })
  expect(instructionsOf(new FieldMap(Object.entries(both).flat()), [])).toMatchObject({ targeted: false })
})

test('lines of a targeted field are one field, RFC 9213 section 2.1', () => {
  const fields = new FieldMap(['CDN-Cache-Control', 'max-age=1', 'cdn-cache-control', 'no-store'])
  expect(instructionsOf(fields, NAMES).control).toMatchObject({ maxAge: 1, noStore: true })
})

test.each([
  ['"a", "b c"', ['a', 'b c']],
  ['"a", b, 1, ""', ['a']],
  ['"a', []],
  [undefined, []],
  ['', []],
  ['"a";x=1, "a"', ['a', 'a']],
  ['("a" "b"), "c"', ['c']],
  ['a, ?1, :YQ==:', []],
  ['"a",', []],
])('parseGroups: %s', (value, expected) => {
  expect(parseGroups(value)).toEqual(expected)
})
