import { expect, test } from 'vitest'

import { wholeRequest } from '../../../../src/middleware/fetch/whole-request.ts'
import { NARROWING } from '../../../../src/middleware/request/narrowing.ts'
import { markHandled, outerFlightOf } from '../../../../src/middleware/request/bypass.ts'
import type { StoredResponse } from '../../../../src/middleware/stored/stored-response.ts'

const { signal } = new AbortController()
const NOTHING = { validate: undefined, capability: undefined, hidden: NARROWING }

test('asks for all', () => {
  const headers = { 'If-None-Match': '"0"', 'If-Modified-Since': 'x', Range: 'bytes=0-1', 'If-Range': '"0"', A: '1' }
  const whole = wholeRequest(new Request('http://a.example/b?c', { headers, method: 'HEAD' }), { ...NOTHING, signal })
  expect([whole.method, whole.url, [...whole.headers]]).toEqual(['HEAD', 'http://a.example/b?c', [['a', '1']]])
})

test('asks about what is stored, and says what we understand', () => {
  const request = new Request('http://a.example/', { headers: { 'Surrogate-Capability': 'a="b"' } })
  const stored = { etag: '"1"', lastModified: 'yesterday' } as StoredResponse
  expect(
    Object.fromEntries(wholeRequest(request, { ...NOTHING, validate: stored, capability: 'c="d"', signal }).headers),
  ).toEqual({
    ...{ 'if-none-match': '"1"', 'if-modified-since': 'yesterday', 'surrogate-capability': 'a="b", c="d"' },
  })
})

test('is aborted by the signal that it is given alone', () => {
  const [asked, own] = [new AbortController(), new AbortController()]
  const request = new Request('http://a.example/', { signal: asked.signal })
  const whole = wholeRequest(request, { ...NOTHING, signal: own.signal })
  asked.abort()
  expect(whole.signal.aborted).toBe(false)
  own.abort()
  expect(whole.signal.aborted).toBe(true)
})

test('has what a server hangs on its requests, and the mark of the one who has taken it on', () => {
  const request = Object.assign(new Request('http://a.example/'), { params: { id: '1' } })
  const outer = {} as never
  markHandled(request, outer)
  const whole = wholeRequest(request, { ...NOTHING, signal })
  expect((whole as typeof request).params).toBe(request.params)
  expect((wholeRequest(whole, { ...NOTHING, signal }) as typeof request).params).toBe(request.params)
  expect(outerFlightOf(whole)).toBe(outer)
})

test('may be given another member in the place of one of the request’s, which keeps its own', () => {
  const request = Object.assign(new Request('http://a.example/'), { context: { of: 'outside' } })
  const whole = wholeRequest(request, { ...NOTHING, signal }) as typeof request
  whole.context = { of: 'inside' }
  expect([whole.context.of, request.context.of]).toEqual(['inside', 'outside'])
})
