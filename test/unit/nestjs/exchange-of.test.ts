import 'reflect-metadata'
import { IncomingMessage, ServerResponse } from 'node:http'
import { type ExecutionContext, Header } from '@nestjs/common'
import { describe, expect, test } from 'vitest'

import { exchangeOf } from '../../../src/nestjs/exchange-of.ts'

class Pages {
  @Header('X-Own', 'of the handler')
  page(): void {}
}

/** A handler's context, as either platform makes it. */
function contextOf(request: unknown, response: unknown): ExecutionContext {
  const http = { getRequest: () => request, getResponse: () => response }
  return { getHandler: () => Pages.prototype.page, switchToHttp: () => http } as unknown as ExecutionContext
}

function nodes(): { req: IncomingMessage; res: ServerResponse } {
  const req = new IncomingMessage(null as never)
  return { req, res: new ServerResponse(req) }
}

test('on Express what @Header() says is taken off, until the handler runs', () => {
  const { req, res } = nodes()
  res.setHeader('X-Outer', 'yes').setHeader('X-Own', 'of the handler')
  const exchange = exchangeOf(contextOf(req, res))
  expect([exchange.req, exchange.res]).toEqual([req, res])
  expect({ ...res.getHeaders() }).toEqual({ 'x-outer': 'yes' })
  exchange.goOn()
  expect({ ...res.getHeaders() }).toEqual({ 'x-outer': 'yes', 'x-own': 'of the handler' })
})

describe('on Fastify', () => {
  test('what the reply has is put on Node’s response, but for @Header(), and taken off when the handler runs', () => {
    const { req, res: raw } = nodes()
    raw.setHeader('X-Raw', 'yes')
    const fields = { 'x-raw': 'yes', 'x-outer': 'yes', 'x-own': 'of the handler', 'x-none': undefined }
    const exchange = exchangeOf(contextOf({ raw: req }, { raw, getHeaders: () => fields }))
    expect([exchange.req, exchange.res]).toEqual([req, raw])
    expect({ ...raw.getHeaders() }).toEqual({ 'x-raw': 'yes', 'x-outer': 'yes' })
    exchange.goOn()
    expect({ ...raw.getHeaders() }).toEqual({ 'x-raw': 'yes' })
  })
})
