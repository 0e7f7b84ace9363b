import { Readable } from 'node:stream'

import { describe, expect, test } from 'vitest'

import { answerMade, answerStored } from '../../../../src/middleware/koa/answer-on.ts'
import { koaContext } from '../support/koa-context.ts'

const stored = { status: 200, message: 'OK', fields: ['ETag', '"1"'], body: Buffer.from('page') }

describe('what is stored', () => {
  test('stands beside the fields of layers outside, with no type that it has not', () => {
    const context = koaContext()
    context.set('X-Outside', 'yes')
    answerStored(context, stored)
    expect([context.status, String(context.body)]).toEqual([200, 'page'])
    expect(context.res.getHeaders()).toEqual({ 'x-outside': 'yes', etag: '"1"', 'content-length': 4 })
  })

  test('is a copy, which layers outside may change', () => {
    const context = koaContext()
    answerStored(context, stored)
    ;(context.body as Buffer).fill('x')
    expect(stored.body.toString()).toBe('page')
  })

  test('has no body for a HEAD, nor with a status that takes none', () => {
    const [head, unchanged, empty] = [koaContext({ method: 'HEAD' }), koaContext(), koaContext()]
    answerStored(head, { ...stored, body: undefined })
    answerStored(unchanged, { ...stored, status: 304, body: undefined })
    answerStored(empty, { ...stored, body: undefined })
    expect([head, unchanged, empty].map(({ status, body }) => [status, body])).toEqual([
      [200, undefined],
      [304, undefined],
      [200, Buffer.alloc(0)],
    ])
  })

  test('keeps its reason', () => {
    const context = koaContext()
    answerStored(context, { ...stored, message: 'Fine' })
    expect(context.message).toBe('Fine')
  })
})

describe('what was made', () => {
  test('has no fields but its own; those of one name stay apart', () => {
    const context = koaContext()
    context.set('X-Gone', 'yes')
    const headers = new Headers([
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ])
    answerMade(context, new Response(null, { status: 201, headers }), undefined)
    expect([context.status, context.res.getHeaders()]).toEqual([201, { 'set-cookie': ['a=1', 'b=2'] }])
  })

  test('by its own handler stays the body that it is', () => {
    const context = koaContext()
    const body = { a: 1 }
    context.body = body
    const own = new Response('{"a":1}')
    answerMade(context, new Response(own.body, { headers: { 'Cache-Status': 'x' } }), own)
    expect([context.body, context.response.get('cache-status')]).toEqual([body, 'x'])
  })

  test('by another one comes as a stream', async () => {
    const context = koaContext()
    answerMade(context, new Response('page'), undefined)
    expect(context.body).toBeInstanceOf(Readable)
    expect(Buffer.concat(await (context.body as Readable).toArray()).toString()).toBe('page')
  })

  test('is not put where somebody has answered, nor is an error of fetch', () => {
    const [written, failed] = [koaContext(), koaContext()]
    written.respond = false
    answerMade(written, new Response('page'), undefined)
    answerMade(failed, Response.error(), undefined)
    expect([written, failed].map(({ status, body }) => [status, body])).toEqual([
      [404, undefined],
      [404, undefined],
    ])
  })
})
