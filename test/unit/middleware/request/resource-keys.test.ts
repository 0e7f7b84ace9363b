import { expect, test } from 'vitest'

import { allKeys, keysOf } from '../../../../src/middleware/request/resource-keys.ts'

const GET = false
const HEAD = true
const NOBODY = false
const SOMEBODY = true

test.each([
  ['a GET by nobody', GET, NOBODY, { own: 'Gar', anonymous: 'Gar', get: 'Gar' }],
  ['a GET by somebody', GET, SOMEBODY, { own: 'Gpr', anonymous: 'Gar', get: 'Gpr' }],
  ['a HEAD by nobody', HEAD, NOBODY, { own: 'Har', anonymous: 'Gar', get: 'Gar' }],
  ['a HEAD by somebody', HEAD, SOMEBODY, { own: 'Hpr', anonymous: 'Gar', get: 'Gpr' }],
])('keys of %s', (_name, isHead, isPersonal, expected) => {
  expect(keysOf('r', isHead, isPersonal)).toEqual(expected)
})

test('four kinds of requests for one resource never share a key of their own', () => {
  const kinds = [GET, HEAD].flatMap((isHead) => [NOBODY, SOMEBODY].map((isPersonal) => keysOf('r', isHead, isPersonal)))
  expect(new Set(kinds.map(({ own }) => own)).size).toBe(4)
})

test('all keys of a changed resource are those that any request for it has', () => {
  const used = [GET, HEAD].flatMap((isHead) =>
    [NOBODY, SOMEBODY].flatMap((isPersonal) => Object.values<string>({ ...keysOf('r', isHead, isPersonal) })),
  )
  expect(new Set(allKeys('r'))).toEqual(new Set(used))
})
