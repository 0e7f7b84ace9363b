import { expect, test } from 'vitest'

import { hiddenFields, NARROWING, narrowingRequest } from '../../../../src/middleware/request/narrowing.ts'

test.each([
  ['If-None-Match asks for the body only if it has changed', { 'if-none-match': '"1"' }, { 'if-none-match': '"1"' }],
  ['If-Modified-Since asks so too', { 'if-modified-since': 'x' }, { 'if-modified-since': 'x' }],
  ['Range asks for a part', { range: 'bytes=0-1' }, { range: 'bytes=0-1' }],
  ['If-Range belongs to a Range', { 'if-range': '"1"' }, { 'if-range': '"1"' }],
  ['an empty field is there all the same', { range: '' }, { range: '' }],
  ['other fields are left out', { host: 'a', range: 'x', 'if-range': 'y' }, { range: 'x', 'if-range': 'y' }],
  ['a field that is set to undefined is gone', { range: 'x', 'if-range': undefined }, { range: 'x' }],
])('narrowed: %s', (_name, headers, narrowing) => {
  expect(narrowingRequest({ method: 'GET', headers })).toEqual({ narrowing, narrowed: true, isHead: false })
})

test.each([
  ['If-Match asks for nothing less', { 'if-match': '"1"' }],
  ['other fields do not narrow', { host: 'a', accept: '*/*' }],
  ['a field that a layer outside has set to undefined is gone', { range: undefined }],
  ['no fields at all', {}],
])('not narrowed: %s', (_name, headers) => {
  expect(narrowingRequest({ method: 'GET', headers })).toEqual({ narrowing: {}, narrowed: false, isHead: false })
})

test.each([
  ['HEAD', true],
  ['GET', false],
  ['head', false],
  [undefined, false],
])('%s asks for the header alone: %s', (method, isHead) => {
  expect(narrowingRequest({ method, headers: {} })).toEqual({ narrowing: {}, narrowed: false, isHead })
})

test('it stays as the request came, whatever becomes of its fields', () => {
  const headers: Record<string, string> = { range: 'bytes=0-1' }
  const { narrowing } = narrowingRequest({ method: 'GET', headers })
  delete headers['range']
  expect(narrowing).toEqual({ range: 'bytes=0-1' })
})

test('the fields that a fill must not see, RFC 9110 sections 13 and 14', () => {
  expect(new Set(NARROWING)).toEqual(new Set(['if-modified-since', 'if-none-match', 'if-range', 'range']))
})

test('where event streams are shared, a run must not see which event a client has had last', () => {
  expect(hiddenFields({ shareEventStreams: true })).toEqual([...NARROWING, 'last-event-id'])
  expect(hiddenFields({ shareEventStreams: false })).toEqual(NARROWING)
})

test('which event a client has had last makes the answer no narrower', () => {
  const headers = { 'last-event-id': '7' }
  expect(narrowingRequest({ method: 'GET', headers })).toMatchObject({ narrowed: false, lastEventId: '7' })
})
