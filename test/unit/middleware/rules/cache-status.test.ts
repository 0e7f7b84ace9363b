import { expect, test } from 'vitest'

import { cacheStatusForward, cacheStatusHit } from '../../../../src/middleware/rules/cache-status.ts'

test.each([
  [9999, undefined, 'herdlock; hit; ttl=9'],
  [-1, undefined, 'herdlock; hit; ttl=-1'],
  [0, 'cdn; fwd=miss', 'cdn; fwd=miss, herdlock; hit; ttl=0'],
])('a hit that is fresh for %i ms', (freshFor, before, expected) => {
  expect(cacheStatusHit(freshFor, before)).toBe(expected)
})

test.each([
  [{ reason: 'bypass' }, undefined, 'herdlock; fwd=bypass'],
  [
    { reason: 'uri-miss', status: 200, stored: true, collapsed: true },
    '',
    'herdlock; fwd=uri-miss; fwd-status=200; stored; collapsed',
  ],
  [{ reason: 'stale', status: 304, detail: 'private' }, 'a', 'a, herdlock; fwd=stale; fwd-status=304; detail=private'],
] as const)('%j', (forwarded, before, expected) => {
  expect(cacheStatusForward(forwarded, before)).toBe(expected)
})
