import { describe, expect, test } from 'vitest'

import {
  bypassReason,
  isUnsafe,
  markHandled,
  METHOD_OVERRIDES,
  type OuterFlight,
  outerFlightOf,
  requestDirectives,
} from '../../../../src/middleware/request/bypass.ts'

type Headers = Record<string, string | string[] | undefined>

function requestWith(headers: Headers, method = 'GET') {
  return { method, headers, native: {} }
}

describe('isUnsafe', () => {
  test.each(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'SEARCH', 'REPORT'])(
    '%s is safe, RFC 9110 section 9.2.1',
    (method) => expect(isUnsafe(method)).toBe(false),
  )

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'PURGE', 'MKCOL', 'get', 'SOMETHING', '', undefined])(
    '%s may change something',
    (method) => expect(isUnsafe(method)).toBe(true),
  )
})

describe('bypassReason', () => {
  test.each([
    ['a GET', requestWith({ host: 'a', accept: '*/*' })],
    ['a HEAD', requestWith({ host: 'a' }, 'HEAD')],
    ['a conditional GET', requestWith({ 'if-none-match': '"1"', 'if-modified-since': 'x' })],
    ['a GET for a range', requestWith({ range: 'bytes=0-1', 'if-range': '"1"' })],
    ['a GET that says that it has no body', requestWith({ 'content-length': '0' })],
    ['a GET that overrides its method with its own', requestWith({ 'x-http-method-override': ' get ' })],
    ['a HEAD that overrides its method with its own', requestWith({ 'x-http-method': 'HEAD' }, 'HEAD')],
    ['a field that a layer outside has set to undefined', requestWith({ upgrade: undefined, expect: undefined })],
  ])('%s can be answered from here', (_name, req) => {
    expect(bypassReason(req)).toBeUndefined()
  })

  test.each(['POST', 'PUT', 'OPTIONS', 'QUERY', 'TRACE', 'get', ''])('method: %s', (method) => {
    expect(bypassReason(requestWith({}, method))).toBe('method')
  })

  test('method: goes before all else', () => {
    expect(bypassReason(requestWith({ upgrade: 'websocket' }, 'POST'))).toBe('method')
  })

  test.each([
    ['a body of unknown length', { 'transfer-encoding': 'chunked' }],
    ['a body', { 'content-length': '1' }],
    ['a length that is no plain zero', { 'content-length': '00' }],
    ['another protocol', { upgrade: 'websocket' }],
    ['Expect', { expect: '100-continue' }],
    ['Idempotency-Key', { 'idempotency-key': 'a' }],
    ['If-Match, RFC 9111 section 4.3.2', { 'if-match': '"1"' }],
    ['If-Unmodified-Since, RFC 9111 section 4.3.2', { 'if-unmodified-since': 'x' }],
    ['an empty field of these', { expect: '' }],
    ['two overrides in one field', { 'x-http-method-override': ['GET', 'DELETE'] }],
    ['an empty override', { 'x-http-method-override': '' }],
  ] as Array<[string, Headers]>)('bypass: %s', (_name, headers) => {
    expect(bypassReason(requestWith(headers))).toBe('bypass')
  })

  test.each(['x-http-method-override', 'x-http-method', 'x-method-override'])('bypass: %s: DELETE', (name) => {
    expect(METHOD_OVERRIDES).toContain(name)
    expect(bypassReason(requestWith({ [name]: 'DELETE' }))).toBe('bypass')
  })

  test('bypass: a HEAD that a framework makes a GET', () => {
    expect(bypassReason(requestWith({ 'x-http-method-override': 'GET' }, 'HEAD'))).toBe('bypass')
  })

  test('bypass: a middleware further out has taken the request on, and is found', () => {
    const req = requestWith({})
    const outer = {} as OuterFlight
    expect(outerFlightOf(req.native)).toBeUndefined()
    markHandled(req.native, outer)
    expect(outerFlightOf(req.native)).toBe(outer)
    expect(bypassReason(req)).toBe('bypass')
  })
})

describe('requestDirectives, RFC 9111 section 5.2.1', () => {
  test.each([
    ['nothing said', undefined, { noStore: false, onlyIfCached: false }],
    ['no-store', 'no-store', { noStore: true, onlyIfCached: false }],
    ['only-if-cached', 'only-if-cached', { noStore: false, onlyIfCached: true }],
    ['both among others, in any case', 'max-age=0, NO-Store,Only-If-Cached', { noStore: true, onlyIfCached: true }],
    ['a malformed member forbids too', 'no-store; max-age=0', { noStore: true, onlyIfCached: false }],
    ['reloading is not listened to', 'no-cache, max-age=0, min-fresh=9', { noStore: false, onlyIfCached: false }],
  ])('%s', (_name, value, expected) => {
    expect(requestDirectives({ 'cache-control': value })).toEqual(expected)
  })
})
