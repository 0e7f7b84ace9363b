import { Readable, Stream } from 'node:stream'

import type Koa from 'koa'
import { describe, expect, test } from 'vitest'

import { madeBy } from '../../../../src/middleware/koa/made-by.ts'
import { koaContext } from '../support/koa-context.ts'

/** What is made of a context that `handler` has worked on, and how often its body was said to be over. */
async function made(handler: (context: Koa.Context) => void) {
  const context = koaContext()
  handler(context)
  let over = 0
  const response = madeBy(context, () => void over++)
  const before = over
  const { status, type } = response
  const fields = Object.fromEntries(response.headers)
  return { status, type, fields, text: await response.text(), over: [before, over] }
}

test.each<[string, unknown, string, string]>([
  ['text', 'text', 'text', 'text/plain; charset=utf-8'],
  ['a page', '<p>', '<p>', 'text/html; charset=utf-8'],
  ['bytes', Buffer.from('ab'), 'ab', 'application/octet-stream'],
  ['an object', { a: 1 }, '{"a":1}', 'application/json; charset=utf-8'],
])('of %s what Koa would send', async (_kind, body, text, type) => {
  expect(await made((context) => (context.body = body))).toMatchObject({
    ...{ status: 200, text, over: [1, 1] },
    fields: { 'content-type': type, 'content-length': String(text.length) },
  })
})

test('of a stream the bytes as they come', async () => {
  const answer = await made((context) => (context.body = Readable.from(['a', Buffer.from('b')])))
  expect(answer).toMatchObject({ status: 200, text: 'ab', over: [0, 1] })
  expect(answer.fields).toEqual({ 'content-type': 'application/octet-stream' })
})

describe('of nothing', () => {
  test('the reason of the status', async () => {
    const described = { 'content-type': 'text/plain; charset=utf-8', 'content-length': '9' }
    expect(await made(() => {})).toMatchObject({ status: 404, text: 'Not Found', fields: described })
  })

  test('nothing, where the handler says so', async () => {
    expect(
      await made((context) => {
        context.body = null
        context.status = 200
      }),
    ).toMatchObject({ status: 200, text: '', fields: { 'content-length': '0' } })
  })

  test('and of a stream nothing, where the status has no body', async () => {
    expect(
      await made((context) => {
        context.status = 304
        context.body = Readable.from(['a'])
      }),
    ).toMatchObject({ status: 304, text: '', over: [1, 1] })
  })
})

test('what cannot be told as a Response is left as it is', async () => {
  const strange = [
    (context: Koa.Context) => void (context.res.statusCode = 600),
    (context: Koa.Context) => void (context.body = new Stream()),
    (context: Koa.Context) => void context.res.writeHead(200).end('written'),
  ]
  for (const handler of strange) expect(await made(handler)).toMatchObject({ type: 'error', over: [1, 1] })
})

test('what the handler sends itself is for nobody else, and so will be the next', async () => {
  expect(await made((context) => (context.respond = false))).toMatchObject({ fields: { 'cache-control': 'no-store' } })
})
