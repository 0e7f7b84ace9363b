import { expect, test } from 'vitest'

import { VaryIndex } from '../../../../src/middleware/stored/vary-index.ts'

const index = new VaryIndex('g1', ['accept', 'accept-language'])

test.each([
  ['the same values', { accept: 'a' }, { accept: 'a' }, true],
  ['the same but for blanks around commas', { accept: 'a, b' }, { accept: 'a,b' }, true],
  ['the same in other case, where case means nothing', { 'accept-language': 'DE' }, { 'accept-language': 'de' }, true],
  ['fields that select nothing', { accept: 'a', cookie: 'x' }, { accept: 'a' }, true],
  ['another value', { accept: 'a' }, { accept: 'b' }, false],
  ['absent and empty', {}, { accept: '' }, false],
  ['absent and a dash', {}, { accept: '-' }, false],
  ['the same value in another field', { accept: 'de' }, { 'accept-language': 'de' }, false],
  ['values that imitate another split', { accept: '1:a' }, { accept: '1', 'accept-language': 'a' }, false],
])('requests with %s: one variant: %s', (_name, one, other, same) => {
  expect(index.variantKey('/', one) === index.variantKey('/', other)).toBe(same)
})

test('variants of another resource, or of an index made later, lie elsewhere', () => {
  const keys = [index, new VaryIndex('g2', index.fields)].flatMap((each) => [
    each.variantKey('/', {}),
    each.variantKey('/other', {}),
  ])
  expect(new Set(keys).size).toBe(4)
})

test('the oldest variant goes when there are too many', () => {
  const most = new VaryIndex('g', ['accept'])
  expect(['a', 'b', 'c', 'd'].map((key) => most.remember(key, 2))).toEqual([undefined, undefined, 'a', 'b'])
})

test('a variant that is stored anew is the youngest', () => {
  const most = new VaryIndex('g', ['accept'])
  expect(['a', 'b', 'a', 'c'].map((key) => most.remember(key, 2))).toEqual([undefined, undefined, undefined, 'b'])
})

test('it is described without the variants of this process', () => {
  const described = new VaryIndex('g', ['accept'])
  described.remember('a', 2)
  expect(described.describe()).toEqual({ generation: 'g', fields: ['accept'] })
})
