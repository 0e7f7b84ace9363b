import { expect, test } from 'vitest'

import { isNarrowed, NARROWING } from '../../../../src/middleware/request/narrowing.ts'

test.each([
  ['If-None-Match asks for the body only if it has changed', { 'if-none-match': '"1"' }, true],
  ['If-Modified-Since asks for the body only if it has changed', { 'if-modified-since': 'x' }, true],
  ['Range asks for a part', { range: 'bytes=0-1' }, true],
  ['If-Range belongs to a Range', { 'if-range': '"1"' }, true],
  ['an empty field is there all the same', { range: '' }, true],
  ['If-Match asks for nothing less', { 'if-match': '"1"' }, false],
  ['other fields do not narrow', { host: 'a', accept: '*/*' }, false],
  ['a field that a layer outside has set to undefined is gone', { range: undefined }, false],
])('%s', (_name, headers, expected) => {
  expect(isNarrowed(headers)).toBe(expected)
})

test('the fields that a fill must not see, RFC 9110 sections 13 and 14', () => {
  expect(new Set(NARROWING)).toEqual(new Set(['if-modified-since', 'if-none-match', 'if-range', 'range']))
})
