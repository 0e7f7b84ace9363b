import { afterEach, expect, test } from 'vitest'

import { createCache } from '../../../src/cache/create-cache.ts'
import { callKey } from '../../../src/nestjs/call-key.ts'

class Users {}

const cache = createCache({ ttl: 1000 })
afterEach(() => cache.close())

const keyOf = (...args: unknown[]): string => callKey(cache, new Users(), 'find', args)

test.each([
  [[], 'Users.find([])'],
  [['1', 2, true, null], 'Users.find(["1",2,true,null])'],
  [[{ page: 1, of: [{ a: '"' }] }], 'Users.find([{"page":1,"of":[{"a":"\\""}]}])'],
  [[Object.assign(Object.create(null), { a: 1 })], 'Users.find([{"a":1}])'],
  [['1', undefined, undefined], 'Users.find(["1"])'],
])('%j', (args, key) => {
  expect(keyOf(...args)).toBe(key)
})

test('a symbol names a method, too', () => {
  expect(callKey(cache, new Users(), Symbol('find'), [])).toBe('Users.Symbol(find)([])')
})

test.each([
  ['undefined before others', [undefined, 1]],
  ['a field that is undefined', [{ a: undefined }]],
  ['a Date', [new Date(0)]],
  ['an object of a class', [new Users()]],
  ['an object that makes its own JSON', [{ toJSON: () => 'x' }]],
  ['a Map', [{ map: new Map() }]],
  ['NaN', [Number.NaN]],
  ['a BigInt', [1n]],
  ['a function', [() => {}]],
  ['a symbol', [[Symbol('a')]]],
])('%s is refused: it could not be told from something else', (_name, args) => {
  expect(() => keyOf(...args)).toThrow(
    'an argument of a method with @Cached() and without `key` must be JSON, received',
  )
})

test('two classes of one name are refused in one cache, and not in two', async () => {
  const other = createCache({ ttl: 1000 })
  const Others = { Users: class Users {} }
  keyOf()
  expect(callKey(other, new Others.Users(), 'find', [])).toBe('Users.find([])')
  expect(() => callKey(cache, new Others.Users(), 'find', [])).toThrow(
    '@Cached() needs `key`: there are two classes with the name "Users"',
  )
  await other.close()
})
