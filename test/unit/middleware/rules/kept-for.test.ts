import { expect, test } from 'vitest'

import { FieldMap } from '../../../../src/middleware/rules/fields.ts'
import { keptFor } from '../../../../src/middleware/rules/kept-for.ts'
import { ONLY_NOW } from '../../../../src/middleware/rules/storable.ts'

const MINUTE = 60_000
const life = { age: 0, freshness: MINUTE, staleWhileRevalidate: 0, staleIfError: 0 }

test.each([
  ['fresh', { lifetime: life }, {}, { ttl: MINUTE, staleWhileRevalidate: 0, staleIfError: 0 }],
  ['older', { lifetime: { ...life, age: 10_000.5 } }, {}, { ttl: 49_999, staleWhileRevalidate: 0, staleIfError: 0 }],
  [
    'stale, within its window',
    { lifetime: { ...life, age: 70_000, staleWhileRevalidate: 30_000 } },
    {},
    { ttl: 1, staleWhileRevalidate: 20_000, staleIfError: 0 },
  ],
  [
    'fresh, with windows',
    { lifetime: { ...life, staleWhileRevalidate: 30_000, staleIfError: 40_000 } },
    {},
    { ttl: MINUTE, staleWhileRevalidate: 30_000, staleIfError: 40_000 },
  ],
  [
    'at the end of its freshness',
    { lifetime: { ...life, age: MINUTE, staleWhileRevalidate: 30_000 } },
    {},
    { ttl: 1, staleWhileRevalidate: 30_000 },
  ],
  [
    'stale, past one of its windows',
    { lifetime: { ...life, age: 2 * MINUTE, staleWhileRevalidate: 30_000, staleIfError: 2 * MINUTE + 0.5 } },
    {},
    { ttl: 1, staleWhileRevalidate: 0, staleIfError: MINUTE },
  ],
  [
    'with a validator, and a longer window for errors',
    { lifetime: { ...life, staleIfError: 10 * MINUTE } },
    { ETag: '"1"' },
    { staleIfError: 10 * MINUTE },
  ],
  [
    'with a validator, and fresh for an hour',
    { lifetime: { ...life, freshness: 60 * MINUTE } },
    { ETag: '"1"' },
    { ttl: 60 * MINUTE, staleIfError: 60 * MINUTE },
  ],
  [
    'with a validator, and fresh for days',
    { lifetime: { ...life, freshness: 1e10 } },
    { ETag: '"1"' },
    { ttl: 1e10, staleIfError: 24 * 60 * MINUTE },
  ],
  [
    'to be validated, whatever windows it states',
    { mustValidate: true, lifetime: { ...life, staleWhileRevalidate: 5, staleIfError: 5 } },
    {},
    { ttl: 5 * MINUTE, staleWhileRevalidate: 0, staleIfError: 0 },
  ],
  ['with a validator', { lifetime: life }, { ETag: '"1"' }, { ttl: MINUTE, staleIfError: 5 * MINUTE }],
  ['with a Last-Modified', { lifetime: life }, { 'Last-Modified': 'x' }, { staleIfError: 5 * MINUTE }],
  ['to be validated', { mustValidate: true, lifetime: life }, { ETag: '"1"' }, { ttl: 5 * MINUTE, staleIfError: 0 }],
  [
    'to be validated, and fresh for days',
    { mustValidate: true, lifetime: { ...life, freshness: 1e10 } },
    {},
    { ttl: 24 * 60 * MINUTE },
  ],
])('%s', (_name, verdict, fields, expected) => {
  const shared = { ...ONLY_NOW, mustValidate: false, ...verdict }
  expect(keptFor(shared, new FieldMap(Object.entries(fields).flat()), ['a'])).toMatchObject({
    ...expected,
    tags: ['a'],
  })
})
