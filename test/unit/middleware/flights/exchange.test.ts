import { expect, test } from 'vitest'

import { VaryIndex } from '../../../../src/middleware/stored/vary-index.ts'
import { exchangeOf } from '../support/fake-exchange.ts'

test('it begins at the key of its request, and knows of no variants', () => {
  const exchange = exchangeOf({ resource: '/a' })
  expect([exchange.key, exchange.rootKey, exchange.index, exchange.reason]).toEqual([
    'Ga/a',
    'Ga/a',
    undefined,
    'uri-miss',
  ])
  expect(exchange.attempts).toBe(0)
})

test.each([
  ['GET', {}, 'Ga/'],
  ['HEAD', {}, 'Ha/'],
  ['GET', { authorization: true }, 'Gp/'],
  ['HEAD', { cookie: true }, 'Hp/'],
] as const)('%s, %j: its key is %s', (method, asked, key) => {
  expect(exchangeOf({ method, asked }).key).toBe(key)
})

test('it goes over to the variant that its request selects', () => {
  const exchange = exchangeOf({ headers: { accept: 'a' } })
  const index = new VaryIndex('g', ['accept'])
  exchange.select(index)
  expect([exchange.key, exchange.reason, exchange.index]).toEqual([
    index.variantKey('Ga/', { accept: 'a' }),
    'vary-miss',
    index,
  ])
})

test('it goes over to another index from where its response belongs, not from a variant', () => {
  const exchange = exchangeOf({ headers: { accept: 'a' } })
  exchange.select(new VaryIndex('g', ['accept']))
  const other = new VaryIndex('h', ['accept-language'])
  exchange.select(other)
  expect([exchange.key, exchange.rootKey]).toEqual([other.variantKey('Ga/', {}), 'Ga/'])
})

test('a handler that changes the fields of its request changes no key', () => {
  const headers: Record<string, string> = { accept: 'a' }
  const exchange = exchangeOf({ headers })
  headers['accept'] = 'b'
  expect(exchange.headers).toEqual({ accept: 'a' })
})
