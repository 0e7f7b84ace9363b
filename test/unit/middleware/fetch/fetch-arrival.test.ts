import { describe, expect, test } from 'vitest'

import { FetchArrival } from '../../../../src/middleware/fetch/fetch-arrival.ts'
import { FetchRequest } from '../../../../src/middleware/fetch/fetch-request.ts'
import { plainRoute, type Route } from '../../../../src/middleware/fetch/route.ts'
import { narrowingRequest } from '../../../../src/middleware/request/narrowing.ts'
import type { FieldMap } from '../../../../src/middleware/rules/fields.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { storedResponse } from '../support/fill-lab.ts'

const URL = 'http://a.example/page'

/** How the handler answers, and what else differs from a plain route. */
interface Given extends Partial<Route> {
  next?: (request: Request) => Response | Promise<Response>
}

function arrivalOf(given: Given = {}, headers: Record<string, string> = {}): FetchArrival {
  const request = new Request(URL, { headers })
  const { next = () => expect.unreachable(), ...other } = given
  return new FetchArrival(new FetchRequest(request), { ...plainRoute(request, next), ...other }, undefined)
}

test('that nobody has seen to has no response', () => {
  expect(() => arrivalOf().response).toThrow('nobody has seen to this request')
})

describe('a stored response', () => {
  const stored = storedResponse(new FakeClock(), { removed: ['b'], joins: ['vary'] })

  test('goes out as far as the request asks for it', async () => {
    for (const [headers, status, text] of [
      [{}, 200, 'stale'],
      [{ 'If-None-Match': '"old"' }, 304, ''],
    ] as const) {
      const arrival = arrivalOf({}, headers)
      arrival.answer(narrowingRequest(arrival.request), stored, ['ETag', '"old"'])
      const response = (await arrival.response) as Response
      expect([response.status, await response.text()]).toEqual([status, text])
    }
  })

  test('goes out beside what layers outside have set', async () => {
    const besideOuter: Route['besideOuter'] = (removed, joins) => ['X-Seen', `${removed.join()};${joins.join()}`]
    const arrival = arrivalOf({ besideOuter })
    arrival.answer(narrowingRequest(arrival.request), stored, ['A', '1'])
    expect([...((await arrival.response) as Response).headers]).toEqual([['x-seen', 'b;vary']])
  })
})

describe('a request that passes', () => {
  const label = (before: string | undefined, status?: number): string => `${before ?? 'none'}; passed ${status}`

  test('reaches its handler as it came, and its answer is labelled', async () => {
    let seen: Request | undefined
    const arrival = arrivalOf({
      next(request) {
        seen = request
        return new Response('page', { headers: { 'Cache-Status': 'inner' } })
      },
    })
    arrival.pass({ label, onAnswer: undefined })
    const response = await arrival.response
    expect(seen).toBe(arrival.request.native)
    expect([response.headers.get('cache-status'), await response.text()]).toEqual(['inner; passed undefined', 'page'])
  })

  test('tells of its answer before its client has it', async () => {
    const told: unknown[] = []
    const arrival = arrivalOf({ next: () => new Response(null, { status: 201, headers: { Location: '/new' } }) })
    const onAnswer = (status: number, fields: FieldMap): void => void told.push(status, fields.get('location'))
    arrival.pass({ label, onAnswer })
    const response = await arrival.response
    expect([told, response.headers.get('cache-status')]).toEqual([[201, '/new'], 'none; passed 201'])
  })

  test('to another protocol has its answer untouched', async () => {
    const answer = { webSocket: {} } as unknown as Response
    const arrival = arrivalOf({ next: () => answer }, { upgrade: 'websocket' })
    arrival.pass({ label, onAnswer: undefined })
    expect(await arrival.response).toBe(answer)
  })

  test('fails where the handler answers with something else', async () => {
    const arrival = arrivalOf({ next: () => 'page' as never })
    arrival.pass({ label, onAnswer: undefined })
    await expect(arrival.response).rejects.toThrow(
      'the handler must answer with a Response, received a value of type string',
    )
  })
})

test('an exchange answers by its edge', async () => {
  const arrival = arrivalOf()
  const edge = arrival.edge(narrowingRequest(arrival.request))
  edge.refuse(503, 'full', 2)
  const { status, headers } = await arrival.response
  expect([status, headers.get('retry-after')]).toEqual([503, '2'])
})
