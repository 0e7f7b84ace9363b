import { once } from 'node:events'

import { describe, expect, test } from 'vitest'

import { NARROWING } from '../../../../src/middleware/request/narrowing.ts'
import { KoaRoute } from '../../../../src/middleware/koa/koa-route.ts'
import { koaContext } from '../support/koa-context.ts'

const TERMS = { validate: undefined, capability: undefined, hidden: NARROWING, signal: new AbortController().signal }

test('its run sees what asks for all, and layers outside see what was asked', async () => {
  const context = koaContext({ headers: { 'if-none-match': '"1"' } })
  const seen: unknown[] = []
  const route = new KoaRoute(context, async () => void seen.push(context.get('If-None-Match')))
  await route.run(TERMS)
  seen.push(context.get('If-None-Match'))
  expect(seen).toEqual(['', '"1"'])
  expect(route.made?.status).toBe(404)
})

test('without terms the request is what it is', async () => {
  const context = koaContext({ headers: { range: 'bytes=0-1' } })
  let range = ''
  await new KoaRoute(context, async () => void (range = context.get('Range'))).run()
  expect(range).toBe('bytes=0-1')
})

test('fields of layers outside are told from those of the handler', () => {
  const context = koaContext()
  context.set({ 'X-Outside': '1', Link: ['a', 'b'] as never })
  const route = new KoaRoute(context, async () => {})
  expect(route.baseline).toEqual([
    ['x-outside', '1'],
    ['link', ['a', 'b']],
  ])
  expect(route.besideOuter([], [], ['ETag', '"1"'])).toEqual(['x-outside', '1', 'link', ['a', 'b'], 'ETag', '"1"'])
})

describe('a run for nobody', () => {
  test('takes the place of a request whose handler has not run, and of no other', async () => {
    const route = new KoaRoute(koaContext(), async () => {})
    expect(route.standIn).toBeDefined()
    await route.run(TERMS)
    expect(route.standIn).toBeUndefined()
  })

  test('has a response of its own, which is over when its body is', async () => {
    const context = koaContext()
    const { res } = context
    const route = new KoaRoute(context, async () => void (context.body = 'page'))
    const response = await route.standIn?.(TERMS)
    expect([await response?.text(), res.headersSent, context.res === res]).toEqual(['page', false, false])
    if (!context.res.writableFinished) await once(context.res, 'finish')
  })

  test('that fails is over, too', async () => {
    const context = koaContext()
    const route = new KoaRoute(context, async () => {
      throw new Error('out of order')
    })
    await expect(route.standIn?.(TERMS)).rejects.toThrow('out of order')
    expect(context.res.writableEnded).toBe(true)
    await route.whenDone()
  })

  test('waits until the answer has gone out', () => {
    const { context, free } = waiting()
    context.res.end()
    expect(free.times).toBe(0)
    context.res.emit('close')
    expect(free.times).toBe(1)
  })

  test('does not take the place of a request whose client has left: layers outside may still be at work', () => {
    const { context, free } = waiting()
    context.res.emit('close')
    expect(free.times).toBe(0)
  })
})

/** A route that is asked when it is free, and how often it has said so. */
function waiting() {
  const context = koaContext()
  const free = { times: 0 }
  new KoaRoute(context, async () => {}).whenFree(() => void free.times++)
  return { context, free }
}
