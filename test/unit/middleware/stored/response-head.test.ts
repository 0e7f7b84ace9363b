import { describe, expect, test } from 'vitest'

import { type Baseline, FieldMap, type FlatFields } from '../../../../src/middleware/rules/fields.ts'
import { ONLY_NOW } from '../../../../src/middleware/rules/storable.ts'
import { responseOf, type StorableHead, storableHead } from '../../../../src/middleware/stored/response-head.ts'

const NOW = Date.UTC(2026, 0, 1)
const DATE = ['Date', 'Thu, 01 Jan 2026 00:00:00 GMT']

function stored(fields: FlatFields, baseline: Baseline = [], withheld: readonly string[] = []): StorableHead {
  const head = { status: 200, message: 'OK', fields }
  return storableHead(head, new FieldMap(fields), withheld, baseline, NOW)
}

describe('fields that are stored', () => {
  test.each<[string, FlatFields, FlatFields]>([
    ['as they were spelled, in their order', ['X-b', '1', 'x-A', '2', ...DATE], ['X-b', '1', 'x-A', '2', ...DATE]],
    [
      'each line of a repeated one',
      ['Link', '</a>', 'Link', '</b>', ...DATE],
      ['Link', '</a>', 'Link', '</b>', ...DATE],
    ],
    ['a Date where there is none, RFC 9110 section 6.6.1', ['X-A', '1'], ['X-A', '1', ...DATE]],
    [
      'none of the connection, RFC 9111 section 3.1',
      ['Connection', 'X-Hop', 'X-Hop', '1', 'Keep-Alive', 'x', ...DATE],
      DATE,
    ],
    ['no Transfer-Encoding', ['Transfer-Encoding', 'chunked', ...DATE], DATE],
    ['no Age', ['Age', '5', ...DATE], DATE],
  ])('%s', (_name, fields, expected) => {
    expect(stored(fields)).toEqual({ fields: expected, removed: [], joins: [] })
  })

  test('nothing that is withheld, RFC 9111 section 5.2.2.7', () => {
    expect(stored(['X-User', 'me', 'X-A', '1', ...DATE], [], ['x-user']).fields).toEqual(['X-A', '1', ...DATE])
  })
})

describe('what layers outside had set before', () => {
  test.each<[string, Baseline, FlatFields, StorableHead]>([
    [
      'is left to them',
      [['x-request-id', '1']],
      ['X-Request-Id', '1', 'X-A', '1', ...DATE],
      { fields: ['X-A', '1', ...DATE], removed: [], joins: [] },
    ],
    [
      'and the handler has replaced is the handler’s',
      [['x-frame-options', 'DENY']],
      ['X-Frame-Options', 'SAMEORIGIN', ...DATE],
      { fields: ['X-Frame-Options', 'SAMEORIGIN', ...DATE], removed: [], joins: [] },
    ],
    [
      'and the handler has taken away is noted',
      [['x-powered-by', 'Express']],
      DATE,
      { fields: DATE, removed: ['x-powered-by'], joins: [] },
    ],
    [
      'and the handler has added a line to is joined',
      [['link', '</a>']],
      ['Link', '</a>', 'Link', '</b>', ...DATE],
      { fields: [...DATE, 'link', '</b>'], removed: [], joins: ['link'] },
    ],
    [
      'and the handler has added to in the same line is joined',
      [['vary', 'Origin']],
      ['Vary', 'Origin, Accept', ...DATE],
      { fields: [...DATE, 'vary', 'Accept'], removed: [], joins: ['vary'] },
    ],
    [
      'in several lines, and the handler has added to in one, is joined',
      [['vary', ['Origin', 'Cookie']]],
      ['Vary', 'Origin, Cookie, Accept', ...DATE],
      { fields: [...DATE, 'vary', 'Accept'], removed: [], joins: ['vary'] },
    ],
    [
      'and only begins like the handler’s own is the handler’s',
      [['vary', 'Accept']],
      ['Vary', 'Accept-Encoding', ...DATE],
      { fields: ['Vary', 'Accept-Encoding', ...DATE], removed: [], joins: [] },
    ],
    [
      'of the connection is not stored, whatever the handler made of it',
      [['connection', 'close']],
      ['Connection', 'close', 'Connection', 'X-A', 'X-A', '1', ...DATE],
      { fields: DATE, removed: [], joins: [] },
    ],
  ])('%s', (_name, baseline, fields, expected) => {
    expect(stored(fields, baseline)).toEqual(expected)
  })
})

test('a response has what its verdict says, and what its request said in the fields that it varies on', () => {
  const head = { status: 203, message: 'Other', fields: DATE, removed: ['a'], joins: ['b'] }
  const lifetime = { age: 1, freshness: 2, staleWhileRevalidate: 3, staleIfError: 4 }
  const verdict = { ...ONLY_NOW, lifetime, mustValidate: false, explicit: true, vary: ['accept', 'x-none'] }
  const body = Buffer.from('body')
  expect(responseOf(head, body, verdict, { accept: ' text/html , */* ' }, NOW)).toMatchObject({
    ...{ status: 203, statusMessage: 'Other', fields: DATE, removed: ['a'], joins: ['b'] },
    ...{ body, respondedAt: NOW, lifetime, mustValidate: false, explicit: true },
    selecting: [
      ['accept', 'text/html,*/*'],
      ['x-none', null],
    ],
  })
})
