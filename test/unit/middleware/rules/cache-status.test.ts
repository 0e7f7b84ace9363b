import { parseList } from 'structured-headers'
import { expect, test } from 'vitest'

import { cacheStatusForward, cacheStatusHit } from '../../../../src/middleware/rules/cache-status.ts'

test.each([
  [9999, undefined, 'herdlock; hit; ttl=9'],
  [1000, '', 'herdlock; hit; ttl=1'],
  [-1001, undefined, 'herdlock; hit; ttl=-2'],
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
  [{ reason: 'request', stored: false, collapsed: false }, undefined, 'herdlock; fwd=request'],
  [{ reason: 'vary-miss', collapsed: true }, undefined, 'herdlock; fwd=vary-miss; collapsed'],
  [{ reason: 'method', stored: true }, undefined, 'herdlock; fwd=method; stored'],
] as const)('%j', (forwarded, before, expected) => {
  expect(cacheStatusForward(forwarded, before)).toBe(expected)
})

test.each([
  [
    'a hit',
    cacheStatusHit(5000, 'cdn; hit'),
    [
      ['hit', true],
      ['ttl', 5],
    ],
  ],
  [
    'a miss',
    cacheStatusForward({ reason: 'uri-miss', status: 200, stored: true, collapsed: true, detail: 'csp-nonce' }, 'cdn'),
    [
      ['fwd', 'uri-miss'],
      ['fwd-status', 200],
      ['stored', true],
      ['collapsed', true],
      ['detail', 'csp-nonce'],
    ],
  ],
])('%s is a List whose last member is ours, RFC 9211 section 2', (_name, value, parameters) => {
  const members = parseList(value)
  expect(members.map(([name]) => String(name))).toEqual(['cdn', 'herdlock'])
  const said = [...(members[1]?.[1] ?? [])]
  expect(said.map(([name, bare]) => [name, typeof bare === 'object' ? String(bare) : bare])).toEqual(parameters)
})
