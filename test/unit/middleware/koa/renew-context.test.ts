import { expect, test } from 'vitest'

import { renewContext } from '../../../../src/middleware/koa/renew-context.ts'
import { describeConnection } from '../../../../src/middleware/node/connection.ts'
import { koaContext } from '../support/koa-context.ts'

test('has what layers outside have put there, and nothing of the answer that has gone out', () => {
  const context = koaContext({ url: '/inside' })
  const connection = describeConnection(context.req.socket)
  const { res, cookies, request } = context
  context.state['user'] = 'Ada'
  context.url = '/outside'
  context.body = 'gone'
  context.respond = false
  renewContext(context, { url: '/inside', baseline: [['x-outside', ['a', 'b']]], connection })
  expect([context.state['user'], context.path, context.request]).toEqual(['Ada', '/inside', request])
  expect([context.status, context.body, context.respond]).toEqual([404, undefined, undefined])
  expect(context.res.getHeaders()).toEqual({ 'x-outside': ['a', 'b'] })
  expect(context.res).not.toBe(res)
  expect(context.cookies).not.toBe(cookies)
  expect([context.response.res, context.request.res, context.response.ctx]).toEqual([context.res, context.res, context])
  expect(context.request.response).toBe(context.response)
  context.body = 'new'
  expect([context.status, res.statusCode, context.length]).toEqual([200, 200, 3])
})
