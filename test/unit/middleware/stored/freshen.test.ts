import { describe, expect, test } from 'vitest'

import { resolveOptions } from '../../../../src/middleware/options.ts'
import { type Baseline, FieldMap, type FlatFields } from '../../../../src/middleware/rules/fields.ts'
import { freshen, type Freshened } from '../../../../src/middleware/stored/freshen.ts'
import { StoredResponse } from '../../../../src/middleware/stored/stored-response.ts'

const NOW = Date.UTC(2026, 0, 1)
const MODIFIED = 'Wed, 31 Dec 2025 00:00:00 GMT'
const DATE = 'Thu, 01 Jan 2026 00:00:00 GMT'

interface Given {
  stored?: FlatFields
  asked?: { cookie?: boolean; authorization?: boolean }
  baseline?: Baseline
}

function freshened(update: FlatFields, { stored = [], asked = {}, baseline = [] }: Given = {}): Freshened {
  const response = new StoredResponse({
    ...{ status: 200, statusMessage: 'Fine', removed: ['x-gone'], joins: ['link'], body: Buffer.from('body') },
    fields: ['ETag', '"1"', 'Last-Modified', MODIFIED, 'Date', MODIFIED, 'Cache-Control', 'max-age=60', ...stored],
    ...{ respondedAt: NOW - 86_400_000, mustValidate: false, explicit: false, selecting: [] },
    lifetime: { age: 0, freshness: 60_000, staleWhileRevalidate: 0, staleIfError: 0 },
  })
  const request = {
    asked: { authorization: false, cookie: false, resumes: false, at: NOW, ...asked },
    policy: resolveOptions({}),
    baseline,
  }
  return freshen(response, { status: 304, message: 'Not Modified', fields: update }, request, NOW)
}

function kept(update: FlatFields, given?: Given): FieldMap {
  const result = freshened(update, given)
  if (result.kind !== 'good') throw new Error(result.kind)
  return new FieldMap(result.kept.fields)
}

describe('which response a 304 is about, RFC 9111 section 4.3.4', () => {
  test.each([
    ['the same ETag', ['ETag', '"1"'], 'good'],
    ['the same ETag, weak', ['ETag', 'W/"1"'], 'good'],
    ['no validator', [], 'good'],
    ['the same Last-Modified', ['Last-Modified', MODIFIED], 'good'],
    ['another ETag', ['ETag', '"2"'], 'about-another'],
    ['another ETag with the same Last-Modified', ['ETag', '"2"', 'Last-Modified', MODIFIED], 'about-another'],
    ['another Last-Modified', ['Last-Modified', DATE], 'about-another'],
  ])('%s: %s', (_name, update, kind) => {
    expect(freshened(update).kind).toBe(kind)
  })

  test('of another one nothing is taken over', () => {
    const result = freshened(['ETag', '"2"', 'X-New', '1'])
    expect(result).toMatchObject({
      head: { status: 200, message: 'Fine', removed: ['x-gone'], joins: ['link'] },
    })
    expect(new FieldMap(result.head.fields).has('x-new')).toBe(false)
  })
})

describe('what a 304 changes, RFC 9111 section 3.2', () => {
  test.each([
    ['adds a field', ['X-New', '1'], 'x-new', '1'],
    ['replaces a field', ['X-Old', 'new'], 'x-old', 'new'],
    ['leaves what it does not name', [], 'x-old', 'old'],
    ['gives a Date of its own where it has none', [], 'date', DATE],
    ['takes the Date that it has', ['Date', MODIFIED], 'date', MODIFIED],
    ['changes no ETag', ['ETag', 'W/"1"'], 'etag', '"1"'],
    ['changes no Content-Length', ['Content-Length', '0'], 'content-length', '4'],
    ['changes no Content-Encoding', ['Content-Encoding', 'br'], 'content-encoding', 'gzip'],
    ['brings no Content-Range', ['Content-Range', 'bytes 0-1/4'], 'content-range', undefined],
    ['brings no Age', ['Age', '5'], 'age', undefined],
    ['brings nothing of its connection', ['Connection', 'X-Hop', 'X-Hop', '1'], 'x-hop', undefined],
    ['names more that it varies on', ['Vary', 'Accept'], 'vary', 'Accept-Encoding, Accept'],
    ['varies on what was named before', [], 'vary', 'Accept-Encoding'],
  ] as Array<[string, FlatFields, string, string | undefined]>)('it %s', (_name, update, name, value) => {
    const stored = ['X-Old', 'old', 'Content-Length', '4', 'Content-Encoding', 'gzip', 'Vary', 'Accept-Encoding']
    expect(kept(update, { stored }).get(name)).toBe(value)
  })

  test('status, reason and what the handler did to outer fields stay', () => {
    expect(freshened(['X-New', '1'])).toMatchObject({
      kept: { status: 200, message: 'Fine', removed: ['x-gone'], joins: ['link'] },
    })
  })

  test('what layers outside have set on it is not the handler’s word', () => {
    const baseline: Baseline = [['x-request-id', '7']]
    const update = ['X-Request-Id', '7']
    expect(kept(update, { baseline }).has('x-request-id')).toBe(false)
    expect(kept(update, { baseline, stored: ['X-Request-Id', '1'] }).get('x-request-id')).toBe('1')
  })
})

describe('the new life', () => {
  test.each([
    ['by the fields of the 304', ['Cache-Control', 'max-age=30'], { freshness: 30_000, age: 0 }],
    ['by those that are stored, if it has none', [], { freshness: 60_000, age: 0 }],
    ['less its Age', ['Age', '20'], { freshness: 60_000, age: 20_000 }],
  ])('%s', (_name, update, lifetime) => {
    expect(freshened(update)).toMatchObject({ kind: 'good', verdict: { lifetime, mustValidate: false } })
  })

  test('must be validated each time, if the 304 says so', () => {
    expect(freshened(['Cache-Control', 'no-cache'])).toMatchObject({ kind: 'good', verdict: { mustValidate: true } })
  })

  test.each([
    ['private', ['Cache-Control', 'private'], {}],
    ['no-store', ['Cache-Control', 'no-store'], {}],
    ['set-cookie', ['Set-Cookie', 'a=b'], {}],
    ['vary', ['Vary', '*'], {}],
    ['cookie', [], { asked: { cookie: true } }],
    ['authorization', [], { asked: { authorization: true } }],
  ] as Array<[string, FlatFields, Given]>)('none for others: %s', (reason, update, given) => {
    expect(freshened(update, given)).toMatchObject({ kind: 'not-for-others', reason, lasting: true })
  })
})

describe('fields that are withheld', () => {
  test.each([
    ['by the 304', ['Cache-Control', 'max-age=60, private="X-User"', 'X-User', 'me'], []],
    [
      'by what is stored, though the 304 does not repeat it',
      ['Cache-Control', 'max-age=60', 'X-User', 'me'],
      ['Cache-Control', 'no-cache="X-User"'],
    ],
  ])('%s: the client has them, the store has not', (_name, update, stored) => {
    const result = freshened(update, { stored })
    if (result.kind !== 'good') throw new Error(result.kind)
    expect(new FieldMap(result.head.fields).get('x-user')).toBe('me')
    expect(new FieldMap(result.kept.fields).has('x-user')).toBe(false)
  })
})
