import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'

import { describe, expect, test } from 'vitest'

import {
  besideOuterFields,
  hasLayersOutside,
  replay,
  type Send,
  sendDirectly,
} from '../../../../src/middleware/answer/replay.ts'
import { narrowingRequest } from '../../../../src/middleware/request/narrowing.ts'
import type { FieldBlock } from '../../../../src/middleware/rules/fields.ts'
import { type StoredParts, StoredResponse } from '../../../../src/middleware/stored/stored-response.ts'

const FIELDS: FieldBlock = ['Content-Type', 'text/plain', 'ETag', '"1"', 'Content-Length', '4', 'Age', '5']

interface Asked {
  method?: string
  headers?: Record<string, string>
  outer?: (res: ServerResponse) => void
}

function exchange({ method = 'GET', headers = {}, outer = () => {} }: Asked) {
  const req = new IncomingMessage(new Socket())
  req.method = method
  req.headers = headers
  req.httpVersionMajor = 1
  req.httpVersionMinor = 1
  const res = new ServerResponse(req)
  outer(res)
  return { res, request: narrowingRequest({ method, headers }) }
}

/** What goes out of a stored response. */
function replayed(asked: Asked = {}, parts: Partial<StoredParts> = {}) {
  const { res, request } = exchange(asked)
  const stored = new StoredResponse({
    ...{ status: 200, statusMessage: 'Fine', fields: FIELDS as string[], removed: [], joins: [], selecting: [] },
    ...{ body: Buffer.from('body'), respondedAt: 0, mustValidate: false, explicit: false },
    lifetime: { age: 0, freshness: 0, staleWhileRevalidate: 0, staleIfError: 0 },
    ...parts,
  })
  const sent: { status: number; message: string; fields: FieldBlock; body: string | undefined }[] = []
  const send: Send = (_res, { body, ...rest }) => void sent.push({ ...rest, body: body?.toString() })
  replay(request, res, stored, parts.fields === undefined ? FIELDS : [...parts.fields], send)
  return sent[0]
}

const encodes = (res: ServerResponse): void => {
  res.write = (() => true) as ServerResponse['write']
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
    [
      'all of it in place of a part that a layer outside would encode: section 14.1.2',
      { headers: { range: 'bytes=1-2', 'accept-encoding': 'gzip' }, outer: encodes },
      200,
      'body',
      FIELDS,
    ],
    [
      'a part where the client takes no encoding',
      { headers: { range: 'bytes=1-2', 'accept-encoding': 'identity' }, outer: encodes },
      206,
      'od',
      ['Content-Type', 'text/plain', 'ETag', '"1"', 'Age', '5', 'Content-Range', 'bytes 1-2/4', 'Content-Length', '2'],
    ],
  ])('%s', (_name, asked, status, body, fields) => {
    expect(replayed(asked)).toMatchObject({ status, body, fields })
  })

  test('the reason that the handler gave', () => {
    expect(replayed()?.message).toBe('Fine')
    expect(replayed({ headers: { range: 'bytes=1-2' } })?.message).toBe('Partial Content')
  })

  test('a part of what is encoded already, whatever layers are outside', () => {
    const asked = { headers: { range: 'bytes=1-2', 'accept-encoding': 'gzip' }, outer: encodes }
    expect(replayed(asked, { fields: ['Content-Encoding', 'gzip'] })).toMatchObject({ status: 206, body: 'od' })
  })

  test.each([{ 'if-none-match': '"1"' }, { range: 'bytes=1-2' }])(
    'all of an error: section 13.2.1, for %j',
    (headers) => {
      expect(replayed({ headers: headers as Record<string, string> }, { status: 404 })).toMatchObject({
        status: 404,
        body: 'body',
      })
    },
  )

  test('no body where there is none', () => {
    expect(replayed({}, { body: Buffer.alloc(0) })?.body).toBeUndefined()
  })
})

describe('beside what layers outside have set', () => {
  test.each<
    [string, Record<string, string | string[]>, { removed?: string[]; joins?: string[] }, FieldBlock, FieldBlock]
  >([
    ['the stored value counts', { 'X-A': 'outer' }, {}, ['X-A', '1'], ['X-A', '1']],
    [
      'what adds to theirs is joined',
      { Link: '</a>' },
      { joins: ['link'] },
      ['Link', '</b>'],
      ['Link', ['</a>', '</b>']],
    ],
    [
      'Vary is always joined, each name once',
      { Vary: 'Origin, Accept' },
      {},
      ['Vary', 'Accept'],
      ['Vary', 'Origin, Accept'],
    ],
    ['Vary is joined once', { Vary: 'Origin' }, { joins: ['vary'] }, ['Vary', 'Accept'], ['Vary', 'Origin, Accept']],
    ['nothing is joined to nothing', {}, { joins: ['link'] }, ['Link', '</b>'], ['Link', '</b>']],
    ['what is not stored stays theirs', { Vary: 'Origin' }, {}, ['X-A', '1'], ['X-A', '1']],
  ])('%s', (_name, outer, { removed = [], joins = [] }, fields, expected) => {
    const { res } = exchange({})
    for (const [name, value] of Object.entries(outer)) res.setHeader(name, value)
    const before = [...fields]
    expect(besideOuterFields(res, { removed, joins }, fields)).toEqual(expected)
    expect(fields).toEqual(before)
  })

  test('what the handler took away goes', () => {
    const { res } = exchange({ outer: (each) => each.setHeader('X-Powered-By', 'Express') })
    besideOuterFields(res, { removed: ['x-powered-by'], joins: [] }, [])
    expect(res.getHeaderNames()).toEqual([])
  })
})

describe('sent directly', () => {
  const answer = { status: 203, message: 'Other', fields: ['X-A', ['1', '2']] as FieldBlock, body: Buffer.from('body') }

  test('it is written at once where no layer is outside', () => {
    const { res } = exchange({})
    sendDirectly(res, answer)
    expect([res.statusCode, res.statusMessage, res.headersSent, res.writableEnded]).toEqual([203, 'Other', true, true])
    expect(hasLayersOutside(res)).toBe(false)
  })

  test.each(['writeHead', 'write', 'end'] as const)(
    'a layer that has put its own %s sees all fields before',
    (name) => {
      const seen: unknown[] = []
      const { res } = exchange({
        outer: (each) => {
          const base = each[name] as (...args: unknown[]) => unknown
          Object.defineProperty(each, name, {
            value: (...args: unknown[]) => {
              seen.push([each.statusCode, each.getHeader('x-a')])
              return base.apply(each, args)
            },
          })
        },
      })
      expect(hasLayersOutside(res)).toBe(true)
      sendDirectly(res, answer)
      expect([res.writableEnded, res.getHeader('x-a')]).toEqual([true, ['1', '2']])
      expect(seen.length > 0).toBe(name !== 'write')
      expect(seen.every((each) => JSON.stringify(each) === '[203,["1","2"]]')).toBe(true)
    },
  )

  test('over HTTP/2 it has no reason', () => {
    const { res } = exchange({ outer: (each) => (each.end = each.end.bind(each) as ServerResponse['end']) })
    res.req.httpVersionMajor = 2
    sendDirectly(res, { ...answer, body: Buffer.alloc(0) })
    expect(res.statusMessage).not.toBe('Other')
  })
})
