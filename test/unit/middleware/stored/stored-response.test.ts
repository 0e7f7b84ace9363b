import { describe, expect, test } from 'vitest'

import { type FieldBlock } from '../../../../src/middleware/rules/fields.ts'
import { type StoredParts, StoredResponse } from '../../../../src/middleware/stored/stored-response.ts'

const NOW = Date.UTC(2026, 0, 1)
const LIFETIME = { age: 5_000, freshness: 60_000, staleWhileRevalidate: 10_000, staleIfError: 20_000 }

function response(parts: Partial<StoredParts> = {}): StoredResponse {
  return new StoredResponse({
    ...{ status: 200, statusMessage: 'OK', fields: ['X-A', '1'], removed: [], joins: [], body: Buffer.from('body') },
    ...{ respondedAt: NOW, lifetime: LIFETIME, mustValidate: false, explicit: false, selecting: [] },
    ...parts,
  })
}

function valueOf(block: FieldBlock, name: string): string | string[] | undefined {
  return block[block.indexOf(name) + 1]
}

test.each([
  ['as it came', 0, { age: 5_000, freshFor: 55_000, stale: true, onError: true }],
  ['at the end of its freshness', 55_000, { age: 60_000, freshFor: 0, stale: true, onError: true }],
  ['at the end of stale-while-revalidate', 65_000, { age: 70_000, freshFor: -10_000, stale: false, onError: true }],
  ['at the end of stale-if-error', 75_000, { age: 80_000, freshFor: -20_000, stale: false, onError: false }],
  ['by a clock that was set back', -10_000, { age: 5_000, freshFor: 55_000, stale: true, onError: true }],
])('its age and what it is good for, RFC 9111 section 4.2.3 and RFC 5861: %s', (_name, after, expected) => {
  const stored = response()
  const now = NOW + after
  expect({
    age: stored.age(now),
    freshFor: stored.freshFor(now),
    stale: stored.mayServeStale(now),
    onError: stored.mayServeOnError(now),
  }).toEqual(expected)
})

test('its fields are read by any spelling, and lines of one name together', () => {
  const fields = ['eTag', '"1"', 'LAST-MODIFIED', 'x', 'Date', 'y', 'Link', '</a>', 'link', '</b>']
  const { etag, lastModified, date } = response({ fields })
  expect([etag, lastModified, date, response({ fields }).get('link')]).toEqual(['"1"', 'x', 'y', '</a>, </b>'])
})

describe('the fields of a hit', () => {
  test('are those that are stored, with Age and Cache-Status', () => {
    const fields = ['X-A', '1', 'Link', '</a>', 'Link', '</b>', 'Age', '9', 'Cache-Status', 'cdn; hit']
    expect(response({ fields }).hitFields(NOW)).toEqual([
      ...['X-A', '1', 'Link', ['</a>', '</b>']],
      ...['Age', '5', 'Cache-Status', 'cdn; hit, herdlock; hit; ttl=55'],
    ])
  })

  test('are made anew when a second has gone by', () => {
    const stored = response()
    const seen = [0, 999, 1000, 60_000].map((after) => {
      const block = stored.hitFields(NOW + after)
      return [valueOf(block, 'Age'), valueOf(block, 'Cache-Status')]
    })
    expect(seen).toEqual([
      ['5', 'herdlock; hit; ttl=55'],
      ['5', 'herdlock; hit; ttl=55'],
      ['6', 'herdlock; hit; ttl=54'],
      ['65', 'herdlock; hit; ttl=-5'],
    ])
  })

  test('say Age 0 too, for that is how a hit is told', () => {
    expect(valueOf(response({ lifetime: { ...LIFETIME, age: 0 } }).hitFields(NOW), 'Age')).toBe('0')
  })
})

describe('the fields of an answer that was waited for', () => {
  const forwarded = { reason: 'uri-miss', status: 200, collapsed: true } as const

  test('have Age only once it is a second old', () => {
    const stored = response({ lifetime: { ...LIFETIME, age: 0 } })
    const member = 'herdlock; fwd=uri-miss; fwd-status=200; collapsed'
    expect(stored.forwardedFields(NOW + 999, forwarded)).toEqual(['X-A', '1', 'Cache-Status', member])
    expect(stored.forwardedFields(NOW + 1000, forwarded)).toEqual(['X-A', '1', 'Age', '1', 'Cache-Status', member])
  })

  test('keep what other caches said', () => {
    const block = response({ fields: ['Cache-Status', 'cdn; hit'] }).forwardedFields(NOW, forwarded)
    expect(valueOf(block, 'Cache-Status')).toBe('cdn; hit, herdlock; fwd=uri-miss; fwd-status=200; collapsed')
  })

  test('are each one’s own', () => {
    const stored = response()
    expect(stored.forwardedFields(NOW, forwarded)).not.toBe(stored.forwardedFields(NOW, forwarded))
  })
})

describe('is selected, RFC 9111 section 4.1', () => {
  test.each([
    ['by anybody, if it does not vary', [], {}, true],
    ['by the same value', [['accept', 'a']], { accept: 'a' }, true],
    ['by the same value, but for blanks', [['accept', 'a,b']], { accept: 'a ,  b' }, true],
    ['by lines that together are the same', [['accept', 'a,b']], { accept: ['a', 'b'] }, true],
    ['not by another value', [['accept', 'a']], { accept: 'b' }, false],
    ['not by an absent one', [['accept', 'a']], {}, false],
    ['by an absent one, if it was absent', [['accept', null]], {}, true],
    ['not by an empty one, if it was absent', [['accept', null]], { accept: '' }, false],
    [
      'only if all of them match',
      [
        ['accept', 'a'],
        ['x-b', 'b'],
      ],
      { accept: 'a' },
      false,
    ],
  ] as Array<[string, StoredParts['selecting'], Record<string, string | string[]>, boolean]>)(
    '%s',
    (_name, selecting, headers, isSelected) => {
      expect(response({ selecting }).isSelectedBy(headers)).toBe(isSelected)
    },
  )
})
