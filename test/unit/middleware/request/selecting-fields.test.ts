import { expect, test } from 'vitest'

import { selectingFields } from '../../../../src/middleware/request/selecting-fields.ts'

const headers = { host: 'a', 'accept-language': 'de-CH, en;q=0.5', cookie: 'sid=1; theme=dark' }

test('without options the fields are those of the request', () => {
  expect(selectingFields(headers, { varyNormalise: undefined, allowCookies: undefined })).toBe(headers)
})

test.each([
  [
    'only what is offered',
    { varyNormalise: { 'accept-language': ['de'] }, allowCookies: undefined },
    { 'accept-language': 'de~', cookie: 'sid=1; theme=dark' },
  ],
  [
    'only cookies that are allowed',
    { varyNormalise: undefined, allowCookies: ['sid'] },
    { 'accept-language': 'de-CH, en;q=0.5', cookie: 'sid=1' },
  ],
  [
    'cookies in the order of the option',
    { varyNormalise: undefined, allowCookies: ['theme', 'sid'] },
    { 'accept-language': 'de-CH, en;q=0.5', cookie: 'theme=dark; sid=1' },
  ],
  [
    'no cookies at all',
    { varyNormalise: undefined, allowCookies: [] },
    { 'accept-language': 'de-CH, en;q=0.5', cookie: undefined },
  ],
])('%s', (_name, rules, expected) => {
  expect(selectingFields(headers, rules)).toEqual({ host: 'a', ...expected })
})

test('fields that are absent stay absent', () => {
  const rules = { varyNormalise: { 'accept-language': ['de'] }, allowCookies: ['a'] }
  expect(Object.keys(selectingFields({ host: 'a' }, rules))).toEqual(['host'])
})

test('a field that a layer outside has made a list stays as it is', () => {
  const rules = { varyNormalise: { 'accept-language': ['de'] }, allowCookies: undefined }
  expect(selectingFields({ 'accept-language': ['de', 'en'] }, rules)).toEqual({ 'accept-language': ['de', 'en'] })
})

test('what is offered, and cookies that are allowed, take the place of what was sent', () => {
  const rules = { varyNormalise: { 'accept-language': ['de', 'en'] }, allowCookies: ['theme'] }
  expect(selectingFields(headers, rules)).toEqual({ host: 'a', 'accept-language': 'de~>en', cookie: 'theme=dark' })
  expect(selectingFields({ cookie: 'sid=1' }, rules)).toEqual({ cookie: undefined })
  expect(headers.cookie).toBe('sid=1; theme=dark')
})
