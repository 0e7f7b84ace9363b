import { describe, expect, test } from 'vitest'

import { narrowedAnswer, type NarrowingRequest, selectionOf } from '../../../../src/middleware/answer/narrowed.ts'
import { narrowingRequest } from '../../../../src/middleware/request/narrowing.ts'

const NOW = Date.UTC(2026, 0, 1)
const STORED = { status: 200, etag: '"1"', lastModified: undefined, date: undefined, respondedAt: NOW }
const SIZE = 10

function asking(headers: Record<string, string>, method = 'GET'): NarrowingRequest {
  return narrowingRequest({ method, headers })
}

describe('what a request gets of a stored body, RFC 9110 section 14', () => {
  test.each([
    ['all', {}, { kind: 'whole' }],
    ['the first bytes', { range: 'bytes=0-3' }, { kind: 'part', start: 0, end: 3, size: SIZE }],
    ['the last bytes', { range: 'bytes=-3' }, { kind: 'part', start: 7, end: 9, size: SIZE }],
    ['from a byte on', { range: 'bytes=4-' }, { kind: 'part', start: 4, end: 9, size: SIZE }],
    ['no more than there is', { range: 'bytes=4-99' }, { kind: 'part', start: 4, end: 9, size: SIZE }],
    ['nothing behind the end', { range: 'bytes=10-' }, { kind: 'unsatisfiable', size: SIZE }],
    ['nothing of no bytes', { range: 'bytes=-0' }, { kind: 'unsatisfiable', size: SIZE }],
    ['ranges that touch, as one', { range: 'bytes=0-3,4-5' }, { kind: 'part', start: 0, end: 5, size: SIZE }],
    ['all, of several ranges: section 14.2', { range: 'bytes=0-1,5-6' }, { kind: 'whole' }],
    ['all, of another unit', { range: 'lines=0-1' }, { kind: 'whole' }],
    ['all, of a malformed Range', { range: 'bytes' }, { kind: 'whole' }],
    ['a part of the same', { range: 'bytes=0-3', 'if-range': '"1"' }, { kind: 'part', start: 0, end: 3, size: SIZE }],
    ['all of another', { range: 'bytes=0-3', 'if-range': '"2"' }, { kind: 'whole' }],
    ['a 304', { 'if-none-match': '"1"' }, { kind: 'not-modified' }],
    ['a 304 before a part: section 13.2.2', { 'if-none-match': '"1"', range: 'bytes=0-3' }, { kind: 'not-modified' }],
    [
      'a part of what has changed',
      { 'if-none-match': '"2"', range: 'bytes=0-3' },
      { kind: 'part', start: 0, end: 3, size: SIZE },
    ],
  ])('%s', (_name, headers, selection) => {
    expect(selectionOf(asking(headers as Record<string, string>), STORED, SIZE)).toEqual(selection)
  })

  test('a HEAD gets no part: section 14.2', () => {
    expect(selectionOf(asking({ range: 'bytes=0-3' }, 'HEAD'), STORED, SIZE)).toEqual({ kind: 'whole' })
    expect(selectionOf(asking({ 'if-none-match': '"1"' }, 'HEAD'), STORED, SIZE)).toEqual({ kind: 'not-modified' })
  })

  test('nothing of an empty body', () => {
    expect(selectionOf(asking({ range: 'bytes=0-' }), STORED, 0)).toEqual({ kind: 'unsatisfiable', size: 0 })
  })
})

describe('what a client gets of an answer that is its own', () => {
  const LENGTH = { 'Content-Length': String(SIZE), 'Accept-Ranges': 'bytes', ETag: '"1"' }
  const PART = { kind: 'part', start: 0, end: 3, size: SIZE }

  test.each([
    ['a part, where the handler takes ranges', { range: 'bytes=0-3' }, LENGTH, 200, PART],
    ['a 304', { 'if-none-match': '"1"' }, LENGTH, 200, { kind: 'not-modified' }],
    [
      'a 304, whatever the handler says of ranges',
      { 'if-none-match': '"1"' },
      { ETag: '"1"' },
      200,
      { kind: 'not-modified' },
    ],
    ['all, where it has asked for that', {}, LENGTH, 200, undefined],
    [
      'all, where the handler takes no ranges',
      { range: 'bytes=0-3' },
      { ...LENGTH, 'Accept-Ranges': 'none' },
      200,
      undefined,
    ],
    ['all, where the length is not known', { range: 'bytes=0-3' }, { 'Accept-Ranges': 'bytes' }, 200, undefined],
    [
      'all, where the length is no number',
      { range: 'bytes=0-3' },
      { ...LENGTH, 'Content-Length': '1, 1' },
      200,
      undefined,
    ],
    ['all, where it asks for what is not there', { range: 'bytes=99-' }, LENGTH, 200, undefined],
    ['all of an error', { range: 'bytes=0-3' }, LENGTH, 404, undefined],
    ['all of a part', { range: 'bytes=0-3' }, LENGTH, 206, undefined],
  ])('%s', (_name, headers, fields, status, expected) => {
    const head = { status, message: '', fields: Object.entries(fields).flat() as string[] }
    expect(narrowedAnswer(asking(headers as Record<string, string>), head, NOW)).toEqual(expected)
  })
})
