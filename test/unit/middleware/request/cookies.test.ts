import { expect, test } from 'vitest'

import { cookieValues } from '../../../../src/middleware/request/cookies.ts'

test.each([
  [undefined, [undefined, undefined]],
  ['', [undefined, undefined]],
  ['theme=dark', ['dark', undefined]],
  ['sid=1; lang=de;theme = dark ', ['dark', 'de']],
  ['theme=', ['', undefined]],
  ['theme=a=b', ['a=b', undefined]],
  ['theme=a; theme=b', ['a;b', undefined]],
  ['Theme=a; theme; xtheme=b', [undefined, undefined]],
])('%s', (field, values) => {
  expect(cookieValues(field, ['theme', 'lang'])).toEqual(values)
})
