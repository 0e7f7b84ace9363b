import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, test } from 'vitest'

import { FetchEdge } from '../../../../src/middleware/fetch/fetch-edge.ts'
import { plainRoute, type Route } from '../../../../src/middleware/fetch/route.ts'
import { narrowingRequest } from '../../../../src/middleware/request/narrowing.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { UNHEARD_TERMS, unheard } from '../support/fetch-lab.ts'
import { storedResponse } from '../support/fill-lab.ts'

const LISTENER = { onDrain: () => {}, onClose: () => {} }
const HEAD = { status: 200, message: 'Fine', block: ['A', '1'], removed: [], joins: [] }

interface Given {
  init?: RequestInit
  /** How the handler answers. */
  next?: (request: Request) => Response | Promise<Response>
  /** What else differs from a plain route. */
  route?: Partial<Route>
}

function edgeOf({ init = {}, next = () => expect.unreachable(), route }: Given = {}): FetchEdge {
  const request = new Request('http://a.example/page', init)
  const narrowing = narrowingRequest({ method: request.method, headers: Object.fromEntries(request.headers) })
  const { signal } = request
  return new FetchEdge({ signal, narrowing, route: { ...plainRoute(request, next), ...route }, waitUntil: undefined })
}

describe('a stored response', () => {
  test('goes out as far as the request asks for it, beside what is outside', async () => {
    const besideOuter: Route['besideOuter'] = (_removed, _joins, fields) => [...fields, 'X-Outer', 'yes']
    const edge = edgeOf({ route: { besideOuter }, init: { headers: { 'If-None-Match': '"old"' } } })
    edge.answer(storedResponse(new FakeClock()), ['ETag', '"old"'])
    const { status, headers } = await edge.response
    expect([status, headers.get('x-outer'), edge.isOver]).toEqual([304, 'yes', true])
  })

  test('that cannot be made a Response fails its own client alone', async () => {
    const edge = edgeOf()
    edge.answer(storedResponse(new FakeClock()), ['A', 'not\nallowed'])
    await expect(edge.response).rejects.toThrow()
  })
})

test('a refusal says no more than its status and when to try again', async () => {
  const edge = edgeOf()
  edge.refuse(503, 'full', 3)
  const { status, headers, body } = await edge.response
  expect([status, headers.get('cache-status'), headers.get('retry-after'), body]).toEqual([503, 'full', '3', null])
})

describe('a follower', () => {
  test('has its head at once, and pieces as they come', async () => {
    const edge = edgeOf()
    const outlet = edge.follow(HEAD, LISTENER)
    const response = await edge.response
    outlet.write(Buffer.from('a '))
    outlet.end(Buffer.from('page'))
    expect([response.status, response.statusText, response.headers.get('a')]).toEqual([200, 'Fine', '1'])
    expect(await response.text()).toBe('a page')
  })

  test.each([
    ['of a HEAD', { init: { method: 'HEAD' } }, HEAD],
    ['of a status that takes none', {}, { ...HEAD, status: 204 }],
  ])('%s has no body', async (_name, given, head) => {
    const edge = edgeOf(given)
    const outlet = edge.follow(head, LISTENER)
    expect(outlet.write(Buffer.alloc(1_000_000))).toBe(true)
    expect((await edge.response).body).toBeNull()
  })

  test('that leaves has its reason in place of the rest', async () => {
    const left = new AbortController()
    const edge = edgeOf({ init: { signal: left.signal } })
    edge.follow(HEAD, LISTENER)
    const text = (await edge.response).text()
    left.abort(new Error('gone'))
    await expect(text).rejects.toThrow('gone')
  })

  test('that has left is over', async () => {
    const edge = edgeOf({ init: { signal: AbortSignal.abort('gone') } })
    const closed = new Promise<void>((resolve) => edge.follow(HEAD, { ...LISTENER, onClose: resolve }))
    await expect(edge.response).rejects.toBe('gone')
    await closed
    expect(edge.isOver).toBe(true)
  })
})

describe('a run', () => {
  test('for its client gives it the answer', async () => {
    const edge = edgeOf({ next: () => new Response('page') })
    edge.open(unheard(), UNHEARD_TERMS).start()
    expect(await (await edge.response).text()).toBe('page')
  })

  test('in the background takes the way that is for nobody, and gives its client nothing', async () => {
    const ran: string[] = []
    const way = (name: string) => (): Response => {
      ran.push(name)
      return new Response(name)
    }
    const edge = edgeOf({ route: { run: way('run'), standIn: way('stand-in') } })
    const ended = new Promise<void>((resolve) => {
      edge.open({ ...unheard(), onEnd: () => resolve() }, { ...UNHEARD_TERMS, isStandIn: true }).start()
    })
    await ended
    expect([ran, edge.isOver, edge.canStandIn]).toEqual([['stand-in'], false, true])
  })

  test('cannot be in the background where the route has no way for it', () => {
    expect(edgeOf({ route: { standIn: undefined } }).canStandIn).toBe(false)
  })

  test('is in the asynchronous context of its request, whoever starts it', async () => {
    const user = new AsyncLocalStorage<string>()
    const edge = user.run('Ada', () => edgeOf({ next: () => new Response(user.getStore()) }))
    user.run('Bob', () => edge.open(unheard(), UNHEARD_TERMS).start())
    expect(await (await edge.response).text()).toBe('Ada')
  })

  test('finds a place when its route says so', () => {
    const waiting: Array<() => void> = []
    const edge = edgeOf({ route: { whenFree: (callback) => void waiting.push(callback) } })
    let isFree = false
    edge.whenFree(() => (isFree = true))
    expect(isFree).toBe(false)
    waiting[0]?.()
    expect(isFree).toBe(true)
  })
})

describe('a handler that runs for its own client alone', () => {
  test('gets the request itself, and its answer is labelled', async () => {
    const edge = edgeOf({
      next: ({ headers }) => new Response(headers.get('range'), { status: 404 }),
      init: { headers: { Range: 'bytes=0-1' } },
    })
    edge.runAlone(({ status }) => `alone; ${status}`)
    const response = await edge.response
    expect([response.headers.get('cache-status'), await response.text()]).toEqual(['alone; 404', 'bytes=0-1'])
  })

  test.each([
    ['throws', () => Promise.reject(new Error('out of order')), 'out of order'],
    ['answers with nothing', () => undefined as never, 'the handler must answer with a Response, received undefined'],
  ])('and %s fails that client', async (_name, next, message) => {
    const edge = edgeOf({ next })
    edge.runAlone(() => '')
    await expect(edge.response).rejects.toThrow(message)
  })
})
