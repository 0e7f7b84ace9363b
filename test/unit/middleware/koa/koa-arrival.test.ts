import { describe, expect, test } from 'vitest'

import { KoaArrival } from '../../../../src/middleware/koa/koa-arrival.ts'
import { NodeRequest } from '../../../../src/middleware/node/node-request.ts'
import { narrowingRequest } from '../../../../src/middleware/request/narrowing.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { storedResponse } from '../support/fill-lab.ts'
import { koaContext } from '../support/koa-context.ts'

function arrivalOf(context = koaContext(), next: () => Promise<unknown> = async () => expect.unreachable()) {
  return new KoaArrival({ request: new NodeRequest(context.req), context, next, waitUntil: undefined })
}

test('a stored response goes out as far as the request asks for it', () => {
  for (const [headers, status] of [
    [{}, 200],
    [{ 'if-none-match': '"old"' }, 304],
  ] as const) {
    const context = koaContext({ headers })
    const arrival = arrivalOf(context)
    const stored = storedResponse(new FakeClock())
    arrival.answer(narrowingRequest(arrival.request), stored, ['ETag', '"old"'])
    expect([context.status, arrival.answered]).toEqual([status, undefined])
  }
})

test('one that somebody answers is left to him', () => {
  const context = koaContext()
  expect(arrivalOf(context).isAnswered).toBe(false)
  context.respond = false
  expect(arrivalOf(context).isAnswered).toBe(true)
})

describe('one that passes', () => {
  test('is labelled when its handler is done; for an unsafe one that is told first', async () => {
    const context = koaContext()
    const arrival = arrivalOf(context, async () => {
      context.body = 'page'
      context.set('Cache-Status', 'origin')
    })
    const told: unknown[] = []
    arrival.pass({
      label: (before, status) => `${before}, ${status}`,
      onAnswer: (status, fields) => void told.push(status, fields.get('content-length')),
    })
    await arrival.answered
    expect([context.response.get('cache-status'), told]).toEqual(['origin, 200', [200, '4']])
  })

  test('is not labelled once it is written', async () => {
    const context = koaContext()
    const arrival = arrivalOf(context, async () => void context.res.writeHead(200).end())
    arrival.pass({ label: () => 'label', onAnswer: undefined })
    await arrival.answered
    expect(context.res.hasHeader('cache-status')).toBe(false)
  })
})

describe('one that becomes an exchange', () => {
  test('is answered when its edge is', async () => {
    const context = koaContext()
    const arrival = arrivalOf(context)
    arrival.edge(narrowingRequest(arrival.request)).refuse(504, 'herdlock; detail=x')
    await arrival.answered
    expect([context.status, context.response.get('cache-status')]).toEqual([504, 'herdlock; detail=x'])
  })

  test('is over when its response is, whoever has ended it', async () => {
    const context = koaContext()
    const arrival = arrivalOf(context)
    const edge = arrival.edge(narrowingRequest(arrival.request))
    expect(edge.isOver).toBe(false)
    context.res.emit('close')
    await arrival.answered
    expect([edge.isOver, context.body]).toEqual([true, undefined])
  })
})
