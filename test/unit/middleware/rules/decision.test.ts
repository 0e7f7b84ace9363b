import { describe, expect, test } from 'vitest'

import { resolveOptions } from '../../../../src/middleware/options.ts'
import { type Circumstances, decide, type Decision } from '../../../../src/middleware/rules/decision.ts'
import { formatHttpDate } from '../../../../src/middleware/rules/http-date.ts'

const NOW = Date.UTC(2026, 0, 1)
const PLAIN: Circumstances = {
  asked: { authorization: false, cookie: false, resumes: false, at: NOW },
  isHead: false,
  policy: resolveOptions({}),
  validates: false,
  canFallBack: false,
  maxBodyBytes: 100,
  roomLeft: 50,
  at: NOW,
}

function decided(status: number, fields: Record<string, string>, about: Partial<Circumstances> = {}): Decision {
  return decide({ status, fields: Object.entries(fields).flat() }, { ...PLAIN, ...about })
}

const FRESH = { 'Cache-Control': 'max-age=60' }
const TO_VALIDATE = { 'Cache-Control': 'no-cache', ETag: '"1"' }

describe('a 304', () => {
  test.each([
    ['validates what the handler was asked about', { validates: true }, { act: 'validate' }],
    ['does so for a HEAD too', { validates: true, isHead: true }, { act: 'validate' }],
    ['does so where a stale response could be sent', { validates: true, canFallBack: true }, { act: 'validate' }],
    ['is for one client where nothing was asked', {}, { act: 'refuse', reason: 'status' }],
  ])('%s', (_name, about, expected) => {
    expect(decided(304, FRESH, about)).toMatchObject(expected)
  })
})

test('an answer to a validation that is no 304 is decided as any other', () => {
  expect(decided(200, FRESH, { validates: true })).toMatchObject({ act: 'share' })
})

describe('a failure, RFC 5861 section 4', () => {
  test.each([500, 502, 503, 504])('%i falls back where it can, whatever it says', (status) => {
    const expected = { act: 'fall-back', reason: `the handler answered ${status}` }
    expect(decided(status, {}, { canFallBack: true })).toEqual(expected)
    expect(decided(status, FRESH, { canFallBack: true, isHead: true, validates: true })).toEqual(expected)
  })

  test.each([500, 502, 503, 504])('%i is decided as any other where there is nothing stale', (status) => {
    expect(decided(status, {})).toMatchObject({ act: 'refuse', reason: 'no-freshness' })
    expect(decided(status, FRESH)).toMatchObject({ act: 'share' })
  })

  test.each([200, 400, 404, 429, 499, 501, 505, 599])('%i is no failure of this kind', (status) => {
    expect(decided(status, FRESH, { canFallBack: true })).toMatchObject({ act: 'share' })
  })
})

describe('what may be shared', () => {
  test('is shared with its verdict, by the clocks of request and head', () => {
    const asked = { ...PLAIN.asked, at: NOW - 5000 }
    expect(decided(200, { ...FRESH, Age: '10', Vary: 'Accept' }, { asked })).toMatchObject({
      act: 'share',
      verdict: { share: true, mustValidate: false, vary: ['accept'], lifetime: { age: 15_000, freshness: 60_000 } },
    })
    const expires = { Expires: formatHttpDate(NOW + 9000) }
    expect(decided(200, expires, { at: NOW + 4000 })).toMatchObject({ verdict: { lifetime: { freshness: 5000 } } })
  })

  test('is decided by the options', () => {
    expect(decided(200, {}, { policy: resolveOptions({ ttl: 1000 }) })).toMatchObject({ act: 'share' })
  })

  test.each([
    ['is not, for the reason of the rules', { 'Cache-Control': 'private' }, {}, 'private'],
    ['is not, of a request with cookies', FRESH, { asked: { ...PLAIN.asked, cookie: true } }, 'cookie'],
  ])('%s', (_name, fields, about, reason) => {
    expect(decided(200, fields, about)).toEqual({ act: 'refuse', reason, lasting: true })
  })

  test('the rules say whether the next answer is likely to be of the same kind', () => {
    expect(decided(404, { 'Cache-Control': 'private' })).toMatchObject({ act: 'refuse', lasting: false })
  })
})

describe('of a HEAD', () => {
  test.each([
    ['is shared, while it is fresh', FRESH, { act: 'share' }],
    ['is shared, whatever length it declares', { ...FRESH, 'Content-Length': '1000' }, { act: 'share' }],
    ['is not to be validated', TO_VALIDATE, { act: 'refuse', reason: 'head', lasting: true }],
  ])('%s', (_name, fields, expected) => {
    expect(decided(200, fields, { isHead: true })).toMatchObject(expected)
  })

  test('only of a HEAD: a GET may be validated', () => {
    expect(decided(200, TO_VALIDATE)).toMatchObject({ act: 'share', verdict: { mustValidate: true } })
  })
})

describe('by the length that is declared', () => {
  test.each([
    ['none', {}, { act: 'share' }],
    ['as much as there is room for', { 'Content-Length': '50' }, { act: 'share' }],
    [
      'more than there is room for just now',
      { 'Content-Length': '51' },
      { act: 'refuse', reason: 'fills-full', lasting: false },
    ],
    ['as much as is ever stored', { 'Content-Length': '100' }, { act: 'refuse', reason: 'fills-full', lasting: false }],
    ['more than is ever stored', { 'Content-Length': '101' }, { act: 'refuse', reason: 'too-large', lasting: true }],
    ['no number, so that bytes are counted as they come', { 'Content-Length': 'x' }, { act: 'share' }],
  ])('%s', (_name, fields, expected) => {
    expect(decided(200, { ...FRESH, ...fields })).toMatchObject(expected)
  })

  test('what is not for others is so at any length', () => {
    expect(decided(200, { 'Content-Length': '1000' })).toMatchObject({ reason: 'no-freshness' })
  })
})
