import { expect, test } from 'vitest'

import { isWritten } from '../../../../src/middleware/koa/koa-context.ts'
import { koaContext } from '../support/koa-context.ts'

test('is written to once somebody writes to it, or says that he will', () => {
  const [fresh, given, begun, raw] = [koaContext(), koaContext(), koaContext(), koaContext()]
  given.body = 'page'
  begun.res.writeHead(200)
  raw.respond = false
  expect([fresh, given, begun, raw].map(isWritten)).toEqual([false, false, true, true])
})
