import { expect, test } from 'vitest'

import { cookieValues } from '../../../../src/middleware/request/cookies.ts'

test('the names are those of the application, in its order', () => {
  expect(cookieValues('lang=de; theme=dark; other=x', ['lang', 'theme', 'lang'])).toEqual(['de', 'dark', 'de'])
  expect(cookieValues('theme=dark', [])).toEqual([])
  expect(cookieValues('constructor', ['constructor'])).toEqual([undefined])
  // What stands before the last character is no name.
  expect(cookieValues('themes', ['theme', '', 'themes'])).toEqual([undefined, undefined, undefined])
  expect(cookieValues('=x', [''])).toEqual(['x'])
})

test.each([
  [undefined, [undefined, undefined]],
  ['', [undefined, undefined]],
  ['theme=dark', ['dark', undefined]],
  ['sid=1; lang=de;theme = dark ', ['dark', 'de']],
  ['theme=', ['', undefined]],
  ['theme=a=b', ['a=b', undefined]],
  ['theme=a; theme=b', ['a;b', undefined]],
  ['themes; theme=dark', ['dark', undefined]],
  ['=x; theme=dark', ['dark', undefined]],
  ['lang=de', [undefined, 'de']],
  ['theme="a b"', ['"a b"', undefined]],
  ['\u00a0theme=dark', [undefined, undefined]],
  ['Theme=a; theme; xtheme=b', [undefined, undefined]],
])('%s', (field, values) => {
  expect(cookieValues(field, ['theme', 'lang'])).toEqual(values)
})
