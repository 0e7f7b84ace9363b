import { expect, it } from 'vitest'
import { parseReply, RespError } from '../../support/resp-parser.ts'

const parse = (text: string) => parseReply(Buffer.from(text))

it.each([
  ['+OK\r\n', 'OK'],
  [':-42\r\n', -42],
  ['$-1\r\n', null],
  ['_\r\n', null],
  ['$0\r\n\r\n', ''],
  ['$4\r\na\r\nb\r\n', 'a\r\nb'],
  ['*2\r\n$1\r\na\r\n*1\r\n:1\r\n', ['a', [1]]],
  ['*-1\r\n', null],
  ['%1\r\n+key\r\n,1.5\r\n', ['key', 1.5]],
  ['#t\r\n', true],
])('parses %j', (text, value) => {
  expect(parse(text)).toEqual({ value, end: text.length, push: false })
})

it('tells errors and pushes apart', () => {
  expect(parse('-ERR no\r\n')?.value).toEqual(new RespError('ERR no'))
  expect(parse('>1\r\n+message\r\n')?.push).toBe(true)
})

it('waits for the last byte, wherever the stream is cut', () => {
  const text = '*3\r\n$5\r\nhello\r\n:12\r\n*1\r\n$-1\r\n'
  for (let length = 0; length < text.length; length++) expect(parse(text.slice(0, length))).toBe(undefined)
  expect(parse(`${text}+NEXT\r\n`)?.end).toBe(text.length)
})
