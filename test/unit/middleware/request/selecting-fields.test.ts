import { expect, test } from 'vitest'

import { selectingFields } from '../../../../src/middleware/request/selecting-fields.ts'

const headers = { host: 'a', 'accept-language': 'de-CH, en;q=0.5', cookie: 'sid=1; theme=dark' }

test('without options the fields are those of the request', () => {
  expect(selectingFields(headers, { varyNormalise: undefined, allowCookies: undefined })).toBe(headers)
})

test('what is offered, and cookies that are allowed, take the place of what was sent', () => {
  const rules = { varyNormalise: { 'accept-language': ['de', 'en'] }, allowCookies: ['theme'] }
  expect(selectingFields(headers, rules)).toEqual({ host: 'a', 'accept-language': 'de~>en', cookie: 'theme=dark' })
  expect(selectingFields({ cookie: 'sid=1' }, rules)).toEqual({ cookie: undefined })
  expect(headers.cookie).toBe('sid=1; theme=dark')
})
