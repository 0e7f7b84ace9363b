import { describe, expect, test } from 'vitest'

import { isNotModified, rangeApplies, type Selected } from '../../../../src/middleware/answer/preconditions.ts'

const MODIFIED = 'Wed, 31 Dec 2025 12:00:00 GMT'
const BEFORE = 'Wed, 31 Dec 2025 11:59:59 GMT'
const AFTER = 'Wed, 31 Dec 2025 12:00:01 GMT'
const RESPONDED_AT = Date.UTC(2026, 0, 1)
const STORED: Selected = {
  ...{ status: 200, etag: '"1"', lastModified: MODIFIED, date: 'Thu, 01 Jan 2026 00:00:00 GMT' },
  respondedAt: RESPONDED_AT,
}

type Row = [name: string, headers: Record<string, string | string[]>, stored: Partial<Selected>, expected: boolean]

describe('the client has what is stored, RFC 9110 section 13.2.2', () => {
  test.each<Row>([
    ['the same ETag', { 'if-none-match': '"1"' }, {}, true],
    ['the same ETag, compared weakly: section 13.1.2', { 'if-none-match': 'W/"1"' }, {}, true],
    ['the stored one is weak', { 'if-none-match': '"1"' }, { etag: 'W/"1"' }, true],
    ['one of several', { 'if-none-match': '"0", "1"' }, {}, true],
    ['one of several lines', { 'if-none-match': ['"0"', '"1"'] }, {}, true],
    ['any at all', { 'if-none-match': ' * ' }, { etag: undefined }, true],
    ['another ETag', { 'if-none-match': '"2"' }, {}, false],
    ['one with a comma inside', { 'if-none-match': '"0,1"' }, {}, false],
    ['an ETag where none is stored', { 'if-none-match': '"1"' }, { etag: undefined }, false],
    [
      'another ETag goes before a date: section 13.1.3',
      { 'if-none-match': '"2"', 'if-modified-since': AFTER },
      {},
      false,
    ],
    ['the time of the modification', { 'if-modified-since': MODIFIED }, {}, true],
    ['a later time', { 'if-modified-since': AFTER }, {}, true],
    ['an earlier time', { 'if-modified-since': BEFORE }, {}, false],
    ['a time in another format: section 5.6.7', { 'if-modified-since': 'Wed Dec 31 12:00:00 2025' }, {}, true],
    ['no time', { 'if-modified-since': 'yesterday' }, {}, false],
    ['a time, where only a Date is stored', { 'if-modified-since': AFTER }, { lastModified: undefined }, false],
    [
      'the Date, where only that is stored',
      { 'if-modified-since': MODIFIED },
      { lastModified: undefined, date: MODIFIED },
      true,
    ],
    [
      'a time before the answer, where none is stored',
      { 'if-modified-since': AFTER },
      { lastModified: undefined, date: undefined },
      false,
    ],
    ['no condition', {}, {}, false],
    ['an answer that is no success: section 13.2.1', { 'if-none-match': '"1"' }, { status: 404 }, false],
    ['an answer that leads elsewhere', { 'if-none-match': '*' }, { status: 301 }, false],
  ])('%s', (_name, headers, stored, expected) => {
    expect(isNotModified(headers, { ...STORED, ...stored })).toBe(expected)
  })
})

describe('a Range may be applied, RFC 9110 section 13.1.5', () => {
  test.each<Row>([
    ['without If-Range', {}, {}, true],
    ['to the same ETag', { 'if-range': '"1"' }, {}, true],
    ['not to another ETag', { 'if-range': '"2"' }, {}, false],
    ['not to a weak ETag', { 'if-range': 'W/"1"' }, { etag: 'W/"1"' }, false],
    ['not where a weak one is asked for', { 'if-range': 'W/"1"' }, {}, false],
    ['not where no ETag is stored', { 'if-range': '"1"' }, { etag: undefined }, false],
    ['to the very same Last-Modified', { 'if-range': MODIFIED }, {}, true],
    ['not to an earlier one', { 'if-range': AFTER }, {}, false],
    ['not where no Last-Modified is stored', { 'if-range': MODIFIED }, { lastModified: undefined }, false],
    ['not to what is neither', { 'if-range': 'x' }, {}, false],
  ])('%s', (_name, headers, stored, expected) => {
    expect(rangeApplies(headers, { ...STORED, ...stored })).toBe(expected)
  })
})
