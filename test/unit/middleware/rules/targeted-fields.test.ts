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
  ])('%s counts', (value, expected) => {
    expect(read({ 'CDN-Cache-Control': value, 'Cache-Control': 'private' })).toMatchObject({
      targeted: true,
      control: expected,
    })
  })

  test.each([
    ...['', 'max-age=60,', 'max-age', 'max-age="60"', 'max-age=60.5', 'max-age=(60)', 'max-age=sixty', 'MAX-AGE=60'],
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
})

test.each([
  ['"a", "b c"', ['a', 'b c']],
  ['"a", b, 1, ""', ['a']],
  ['"a', []],
  [undefined, []],
])('parseGroups: %s', (value, expected) => {
  expect(parseGroups(value)).toEqual(expected)
})
