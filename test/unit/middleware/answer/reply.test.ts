import { describe, expect, test } from 'vitest'

import { replyFrom } from '../../../../src/middleware/answer/reply.ts'
import { narrowingRequest } from '../../../../src/middleware/request/narrowing.ts'
import type { FieldBlock } from '../../../../src/middleware/rules/fields.ts'
import { type StoredParts, StoredResponse } from '../../../../src/middleware/stored/stored-response.ts'

const FIELDS: FieldBlock = ['Content-Type', 'text/plain', 'ETag', '"1"', 'Content-Length', '4', 'Age', '5']

interface Asked {
  method?: string
  headers?: Record<string, string>
  isEncodedOutside?: boolean
}

/** What goes out of a stored response. */
function replied({ method = 'GET', headers = {}, isEncodedOutside }: Asked = {}, parts: Partial<StoredParts> = {}) {
  const stored = new StoredResponse({
    ...{ status: 200, statusMessage: 'Fine', fields: FIELDS as string[], removed: [], joins: [], selecting: [] },
    ...{ body: Buffer.from('body'), respondedAt: 0, mustValidate: false, explicit: false },
    lifetime: { age: 0, freshness: 0, staleWhileRevalidate: 0, staleIfError: 0 },
    ...parts,
  })
  const { body, ...rest } = replyFrom(narrowingRequest({ method, headers }), stored, FIELDS, isEncodedOutside)
  return { ...rest, body: body?.toString() }
}

describe('a client gets of a stored response', () => {
  test.each<[string, Asked, number, string | undefined, FieldBlock]>([
    ['all of it', {}, 200, 'body', FIELDS],
    ['its head, for HEAD', { method: 'HEAD' }, 200, undefined, FIELDS],
    [
      'a 304 without what describes the body, RFC 9110 section 15.4.5',
      { headers: { 'if-none-match': '"1"' } },
      304,
      undefined,
      ['ETag', '"1"', 'Age', '5'],
    ],
    [
      'a 304, for HEAD',
      { method: 'HEAD', headers: { 'if-none-match': '"1"' } },
      304,
      undefined,
      ['ETag', '"1"', 'Age', '5'],
    ],
    [
      'a part, with its place and its length: section 15.3.7',
      { headers: { range: 'bytes=1-2' } },
      206,
      'od',
      ['Content-Type', 'text/plain', 'ETag', '"1"', 'Age', '5', 'Content-Range', 'bytes 1-2/4', 'Content-Length', '2'],
    ],
    [
      'a 416 with the length that there is: section 15.5.17',
      { headers: { range: 'bytes=9-' } },
      416,
      undefined,
      ['ETag', '"1"', 'Age', '5', 'Content-Range', 'bytes */4', 'Content-Length', '0'],
    ],
    ['all of it, of several ranges', { headers: { range: 'bytes=0-0,3-3' } }, 200, 'body', FIELDS],
  ])('%s', (_name, asked, status, body, fields) => {
    expect(replied(asked)).toMatchObject({ status, body, fields })
  })

  test('the reason that the handler gave', () => {
    expect(replied().message).toBe('Fine')
    expect(replied({ headers: { range: 'bytes=1-2' } }).message).toBe('Partial Content')
  })

  test('all of it in place of a part that a layer outside would encode: section 14.1.2', () => {
    expect(replied({ headers: { range: 'bytes=1-2' }, isEncodedOutside: true })).toMatchObject({
      status: 200,
      body: 'body',
      fields: FIELDS,
    })
  })

  test.each([{ 'if-none-match': '"1"' }, { range: 'bytes=1-2' }])(
    'all of an error: section 13.2.1, for %j',
    (headers) => {
      expect(replied({ headers: headers as Record<string, string> }, { status: 404 })).toMatchObject({
        status: 404,
        body: 'body',
      })
    },
  )

  test('no body where there is none', () => {
    expect(replied({}, { body: Buffer.alloc(0) }).body).toBeUndefined()
  })
})
