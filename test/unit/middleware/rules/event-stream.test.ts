import { expect, test } from 'vitest'

import { isEventStream, placeAfterEvent } from '../../../../src/middleware/rules/event-stream.ts'

test.each([
  ['text/event-stream', true],
  ['Text/Event-Stream ; charset=utf-8', true],
  ['text/event-streams', false],
  ['text/plain', false],
  [undefined, false],
])('%s: %s', (type, expected) => {
  expect(isEventStream(type)).toBe(expected)
})

/** What follows the event of that id. */
const after = (text: string, id: string): string => {
  const body = Buffer.from(text)
  return body.subarray(placeAfterEvent(body, id)).toString()
}

const REST = 'data: rest\n\n'

test.each([
  ['LF', `id: 1\ndata: a\n\n${REST}`],
  ['CRLF', `id: 1\r\ndata: a\r\n\r\n${REST}`],
  ['CR', `id: 1\rdata: a\r\r${REST}`],
  ['lines that end in different ways', `data: a\r\nid: 1\n\r\n${REST}`],
  ['no blank after the colon', `id:1\ndata: a\n\n${REST}`],
  ['the id at the end', `data: a\ndata: b\nid: 1\n\n${REST}`],
  ['other events before', `id: 0\ndata: id: 1\n\n: id: 1\nid: 11\ndata\n\nid: 1\n\n${REST}`],
])('goes on behind the event: %s', (_name, text) => {
  expect(after(text, '1')).toBe(REST)
})

test('of several events with one id, behind the first: the client may have had no more', () => {
  expect(after(`id: 1\n\n${REST}id: 1\n\n`, '1')).toBe(`${REST}id: 1\n\n`)
})

test.each([
  ['there is no such event', 'id: 2\ndata: 1\n\n'],
  ['it is not whole', 'id: 1\ndata: 1\n'],
  ['the id is not whole', 'id: 1'],
  ['the id stands in a text', 'data: id: 1\n\nxid: 1\n\n'],
  ['there is nothing', ''],
])('begins at the first event: %s', (_name, text) => {
  expect(after(text, '1')).toBe(text)
})

test('an id of other letters than ASCII is that of its UTF-8, as it comes over the wire', () => {
  expect(after(`id: ü\n\n${REST}`, Buffer.from('ü').toString('latin1'))).toBe(REST)
  expect(after(`id: \n\n${REST}`, '')).toBe(`id: \n\n${REST}`)
})
