import { describe, expect, expectTypeOf, test } from 'vitest'

import type { Next, RequestOptions } from '../../src/middleware/fetch/single-flight.ts'
import { deferred } from '../support/deferred.ts'
import { Gate } from './support/gate.ts'
import { makeFetchFlight, refilled } from './support/serve.ts'

const URL_A = 'http://shop.example/a'
const SHARED = { 'Cache-Control': 'public, max-age=60' }

function get(url = URL_A, init: RequestInit = {}): Request {
  return new Request(url, init)
}

function page(body: string | null = 'page', more: Record<string, string> = {}, status = 200): Response {
  return new Response(body, { status, headers: { ...SHARED, ...more } })
}

/** A body whose pieces the test gives. */
function written() {
  const written = { cancelled: false, pulls: 0 }
  let controller!: ReadableStreamDefaultController<Uint8Array>
  const body = new ReadableStream<Uint8Array>({
    start: (own) => void (controller = own),
    cancel: () => void (written.cancelled = true),
  })
  const write = (text: string): void => controller.enqueue(Buffer.from(text))
  return Object.assign(written, {
    ...{ body, write, end: () => controller.close(), fail: (reason: unknown) => controller.error(reason) },
    bytes: (bytes: Uint8Array) => controller.enqueue(bytes),
  })
}

async function piece(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  return Buffer.from((await reader.read()).value ?? []).toString()
}

function readerOf(response: Response): ReadableStreamDefaultReader<Uint8Array> {
  if (response.body === null) throw new Error('there is no body')
  return response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>
}

/** Asks first, and waits until the answer is stored. */
async function first(
  { flight, cache }: Pick<ReturnType<typeof makeFetchFlight>, 'flight' | 'cache'>,
  next: Next,
  options?: RequestOptions,
): Promise<void> {
  const stored = refilled(cache)
  await (await flight(get(), next, options)).text()
  await stored
}

const status = (response: Response): string => response.headers.get('cache-status') ?? ''

describe('what the handler gets', () => {
  test('a request without what asks for less, and with what validates a stored response', async () => {
    const { flight, clock, cache } = makeFetchFlight()
    const seen: unknown[] = []
    const names = ['if-none-match', 'if-modified-since', 'range', 'x-a']
    const next = (request: Request): Response => {
      seen.push([request.method, request.url, ...names.map((name) => request.headers.get(name))])
      const modified = { ETag: '"1"', 'Last-Modified': 'Thu, 01 Jan 2026 00:00:00 GMT' }
      return request.headers.has('if-none-match')
        ? new Response(null, { status: 304, headers: SHARED })
        : page('page', modified)
    }
    const stored = refilled(cache)
    const first = await flight(
      get(URL_A, { headers: { 'If-None-Match': '"0"', Range: 'bytes=0-1', 'X-A': 'b' } }),
      next,
    )
    expect([first.status, await first.text()]).toEqual([206, 'pa'])
    await stored
    clock.skip(61_000)
    const second = await flight(get(), next)
    expect([second.status, await second.text()]).toEqual([200, 'page'])
    expect(status(second)).toContain('fwd=stale; fwd-status=304')
    expect(seen).toEqual([
      ['GET', URL_A, null, null, null, 'b'],
      ['GET', URL_A, '"1"', 'Thu, 01 Jan 2026 00:00:00 GMT', null, null],
    ])
  })

  test('what its server has hung on the request, and further arguments of wrap', async () => {
    const { flight } = makeFetchFlight()
    const handler = flight.wrap((request: Request, server: { name: string }, count: number) => {
      const { params } = request as Request & { params: { id: string } }
      return page(`${params.id} ${server.name} ${count}`)
    })
    expectTypeOf(handler).parameters.toEqualTypeOf<[Request, { name: string }, number]>()
    const request = Object.assign(get(), { params: { id: 'a' } })
    expect(await (await handler(request, { name: 'b' }, 3)).text()).toBe('a b 3')
  })

  test('the request itself where it passes through', async () => {
    const { flight } = makeFetchFlight()
    const request = get(URL_A, { method: 'POST', body: 'a' })
    let seen: unknown
    const next = (own: Request): Response => {
      seen = own
      return new Response()
    }
    expect(status(await flight(request, next))).toBe('herdlock; fwd=method; fwd-status=200')
    expect(seen).toBe(request)
  })
})

describe('bodies', () => {
  test('one of a run and its followers does not change what the others read', async () => {
    const { flight } = makeFetchFlight()
    const handler = written()
    const next = (): Response => new Response(handler.body, { headers: SHARED })
    const readers = (await Promise.all([flight(get(), next), flight(get(), next), flight(get(), next)])).map(readerOf)
    const own = Buffer.from('one')
    handler.bytes(own)
    const first = (await readers[0]?.read())?.value
    own.fill(120)
    first?.fill(121)
    expect(await Promise.all(readers.slice(1).map(piece))).toEqual(['one', 'one'])
    handler.end()
    await Promise.all(readers.map((reader) => reader.read()))
    const { value } = await readerOf(await flight(get(), next)).read()
    value?.fill(122)
    expect(await (await flight(get(), next)).text()).toBe('one')
  })

  test('who reads nothing, and who cancels, disturb nobody', async () => {
    const { flight } = makeFetchFlight()
    const handler = written()
    const next = (): Response => new Response(handler.body, { headers: SHARED })
    const [leader, still, cancels, reads] = await Promise.all([0, 1, 2, 3].map(() => flight(get(), next)))
    handler.write('one, ')
    await leader?.body?.cancel()
    await cancels?.body?.cancel()
    handler.write('two')
    handler.end()
    expect(await reads?.text()).toBe('one, two')
    expect(handler.cancelled).toBe(false)
    const hit = await flight(get(), next)
    expect([status(hit), await hit.text()]).toEqual([expect.stringContaining('hit'), 'one, two'])
    expect(await still?.text()).toBe('one, two')
  })

  test('above maxBodyBytes are made as fast as the slowest reads, and whoever stands still is cut, alone', async () => {
    const { flight } = makeFetchFlight({ maxBodyBytes: 1000, stallTimeout: 200 })
    const size = 100
    let made = 0
    const gate = new Gate()
    const next = (): Response => {
      const body = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            if (made === 1) await gate.pass()
            if (made++ === size) controller.close()
            else controller.enqueue(new Uint8Array(made === 1 ? 10 : 64 * 1024))
          },
        },
        { highWaterMark: 0 },
      )
      return new Response(body, { headers: SHARED })
    }
    const [reads, stands] = await Promise.all([flight(get(), next), flight(get(), next)])
    gate.open()
    expect((await reads?.arrayBuffer())?.byteLength).toBe((size - 1) * 64 * 1024 + 10)
    await expect(stands?.text()).rejects.toThrow('the rest of this response will not come')
  })

  test('of one who is alone are the handler’s own, made as fast as they are read', async () => {
    const { flight } = makeFetchFlight()
    const handler = written()
    const alone = await flight(get(), () => new Response(handler.body, { headers: { 'Cache-Control': 'private' } }))
    expect(status(alone)).toBe('herdlock; fwd=uri-miss; fwd-status=200; detail=private')
    expect(alone.body).toBe(handler.body)
    await alone.body?.cancel()
    expect(handler.cancelled).toBe(true)
  })

  test('that break off are stored for nobody, and whoever reads them sees it', async () => {
    const { flight } = makeFetchFlight()
    let runs = 0
    const handler = written()
    const next = (): Response => (++runs === 1 ? new Response(handler.body, { headers: SHARED }) : page('whole'))
    const both = await Promise.all([flight(get(), next), flight(get(), next)])
    handler.write('half')
    const texts = both.map((response) => response.text())
    handler.fail(new Error('out of order'))
    await expect(texts[0]).rejects.toThrow('out of order')
    await expect(texts[1]).rejects.toThrow('the rest of this response will not come')
    expect(await (await flight(get(), next)).text()).toBe('whole')
  })

  test('that are shorter than announced are stored for nobody', async () => {
    const { flight } = makeFetchFlight()
    let runs = 0
    const next = (): Response => (++runs === 1 ? page('half', { 'Content-Length': '5' }) : page('whole'))
    await (await flight(get(), next)).text()
    expect(await (await flight(get(), next)).text()).toBe('whole')
  })

  test.each([
    ['consumed', async (response: Response) => void (await response.text())],
    ['locked', async (response: Response) => void response.body?.getReader()],
  ])('that are %s are a TypeError', async (_how, use) => {
    const { flight } = makeFetchFlight()
    const next = async (): Promise<Response> => {
      const response = page()
      await use(response)
      return response
    }
    for (const request of [get(), get(URL_A, { method: 'POST' }), get(URL_A, { headers: { Expect: 'a' } })]) {
      await expect(flight(request, next)).rejects.toThrow(
        new TypeError('the handler must answer with a Response that nobody reads, received one whose body is in use'),
      )
    }
  })
})

describe('responses', () => {
  test.each([
    ['no content', () => page(null, {}, 204), 204],
    ['nothing to reset', () => page(null, {}, 205), 205],
    ['an empty body', () => page(''), 200],
    ['no body', () => page(null), 200],
  ])('%s, for the first, a follower and a hit', async (_what, make, expected) => {
    const { flight } = makeFetchFlight()
    const all = await Promise.all([flight(get(), make), flight(get(), make)])
    for (const response of [...all, await flight(get(), make)]) {
      expect([response.status, await response.text()]).toEqual([expected, ''])
    }
    expect(status(await flight(get(), make))).toContain('hit')
  })

  test('HEAD gets no body, whatever the handler answers, and GET answers it', async () => {
    const made = makeFetchFlight()
    const { flight } = made
    let runs = 0
    const handler = written()
    const next = (request: Request): Response => {
      runs++
      return request.method === 'HEAD' ? new Response(handler.body, { headers: SHARED }) : page()
    }
    const head = await flight(get(URL_A, { method: 'HEAD' }), next)
    expect([await head.text(), handler.cancelled]).toEqual(['', true])
    await first(made, next)
    const hit = await flight(get(URL_A, { method: 'HEAD' }), next)
    expect([await hit.text(), hit.headers.get('content-length'), runs]).toEqual(['', '4', 2])
  })

  test('whose header cannot be changed, such as those of redirect, get fields of ours all the same', async () => {
    const { flight } = makeFetchFlight({ ttl: 60_000 })
    const next = (): Response => Response.redirect('http://shop.example/b', 301)
    const first = await flight(get(), next)
    expect([first.status, first.headers.get('location')]).toEqual([301, 'http://shop.example/b'])
    expect(status(first)).toBe('herdlock; fwd=uri-miss; fwd-status=301; stored')
    expect(status(await flight(get(), next))).toContain('hit')
    expect(status(await flight(get(URL_A, { method: 'POST' }), next))).toContain('fwd=method')
  })

  test('that the handler keeps stay as they are', async () => {
    const { flight } = makeFetchFlight()
    const kept = new Response(null, { status: 404, headers: { 'Cache-Control': 'no-store' } })
    Object.freeze(kept)
    for (let round = 0; round < 2; round++) {
      expect(status(await flight(get(), () => kept))).toBe(`herdlock; fwd=uri-miss; fwd-status=404; detail=no-store`)
    }
    expect(kept.headers.has('cache-status')).toBe(false)
  })

  test('of several lines of Set-Cookie keep each of them, and go to one client', async () => {
    const { flight } = makeFetchFlight()
    let runs = 0
    const next = (): Response => {
      const response = page(`run ${++runs}`)
      response.headers.append('Set-Cookie', 'a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT')
      response.headers.append('Set-Cookie', 'b=2')
      return response
    }
    for (const run of [1, 2]) {
      const response = await flight(get(), next)
      expect(response.headers.getSetCookie()).toEqual(['a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT', 'b=2'])
      expect(await response.text()).toBe(`run ${run}`)
    }
  })

  test('Response.error() passes through, and says nothing of the next answer', async () => {
    const { flight } = makeFetchFlight()
    let runs = 0
    const gate = new Gate()
    const next = async (): Promise<Response> => {
      if (++runs > 1) return page('page')
      await gate.pass()
      return Response.error()
    }
    const both = [flight(get(), next), flight(get(), next)]
    gate.open()
    const [error, other] = await Promise.all(both)
    expect([error?.type, error?.status, await other?.text()]).toEqual(['error', 0, 'page'])
    await (await flight(get(), next)).text()
    expect(status(await flight(get(), next))).toContain('hit')
  })

  test('of no kind are a TypeError', async () => {
    const { flight } = makeFetchFlight()
    for (const [answer, named] of [
      [undefined, 'undefined'],
      ['page', 'a value of type string'],
    ]) {
      await expect(flight(get(), () => answer as never)).rejects.toThrow(
        new TypeError(`the handler must answer with a Response, received ${named}`),
      )
    }
  })

  test('that start another protocol pass through as they are', async () => {
    const { flight } = makeFetchFlight()
    const upgraded = { status: 101, headers: new Headers() } as Response
    expect(await flight(get(URL_A, { headers: { Upgrade: 'websocket' } }), () => upgraded)).toBe(upgraded)
  })
})

describe('a handler that throws', () => {
  test('rejects for its own client; those who waited run their own', async () => {
    const { flight } = makeFetchFlight()
    const gate = new Gate()
    const failure = new Error('out of order')
    let runs = 0
    const next = async (): Promise<Response> => {
      if (++runs > 1) return page(`run ${runs}`, { 'Cache-Control': 'private' })
      await gate.pass()
      throw failure
    }
    const asked = Array.from({ length: 5 }, () => flight(get(), next))
    gate.open()
    const [first, ...others] = await Promise.allSettled(asked)
    expect(first).toEqual({ status: 'rejected', reason: failure })
    expect(others.map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => 'fulfilled'))
    expect(runs).toBe(5)
  })

  test('gives way to a stale response where that is allowed', async () => {
    const { flight, clock } = makeFetchFlight()
    let runs = 0
    const next = (): Response => {
      if (++runs > 1) throw new Error('out of order')
      return page('page', { 'Cache-Control': 'max-age=60, stale-if-error=60' })
    }
    await (await flight(get(), next)).text()
    clock.skip(61_000)
    expect(await (await flight(get(), next)).text()).toBe('page')
    clock.skip(60_000)
    await expect(flight(get(), next)).rejects.toThrow('out of order')
  })
})

describe('the signal of a request', () => {
  test('rejects its promise when it aborts, with its reason, and disturbs nobody', async () => {
    const { flight } = makeFetchFlight()
    const gate = new Gate()
    const signals: AbortSignal[] = []
    const next = async ({ signal }: Request): Promise<Response> => {
      signals.push(signal)
      await gate.pass()
      return page()
    }
    const [leader, follower] = [new AbortController(), new AbortController()]
    const first = flight(get(URL_A, { signal: leader.signal }), next)
    const second = flight(get(URL_A, { signal: follower.signal }), next)
    const third = flight(get(), next)
    await gate.reached
    leader.abort(new Error('the first has left'))
    follower.abort(new Error('the second has left'))
    await expect(first).rejects.toThrow('the first has left')
    await expect(second).rejects.toThrow('the second has left')
    gate.open()
    expect(await (await third).text()).toBe('page')
    expect(signals.map(({ aborted }) => aborted)).toEqual([false])
  })

  test('aborted before it asks rejects at once', async () => {
    const { flight } = makeFetchFlight()
    let runs = 0
    const signal = AbortSignal.abort(new Error('too late'))
    await expect(flight(get(URL_A, { signal }), () => page(String(++runs)))).rejects.toThrow('too late')
    expect(runs).toBe(0)
  })

  test('is the handler’s own once its answer is for one client alone', async () => {
    const { flight } = makeFetchFlight()
    const left = new AbortController()
    const seen = deferred<AbortSignal>()
    const handler = written()
    const next = ({ signal }: Request): Response => {
      seen.resolve(signal)
      return new Response(handler.body, { headers: { 'Cache-Control': 'private' } })
    }
    await flight(get(URL_A, { signal: left.signal }), next)
    const signal = await seen.promise
    expect(signal.aborted).toBe(false)
    left.abort()
    expect(signal.aborted).toBe(true)
  })

  test('ends the body that is being read', async () => {
    const { flight } = makeFetchFlight()
    const handler = written()
    const next = (): Response => new Response(handler.body, { headers: SHARED })
    const left = new AbortController()
    const [leader, other] = await Promise.all([flight(get(URL_A, { signal: left.signal }), next), flight(get(), next)])
    handler.write('one, ')
    const text = leader?.text()
    left.abort(new Error('has left'))
    await expect(text).rejects.toThrow('has left')
    handler.write('two')
    handler.end()
    expect(await other?.text()).toBe('one, two')
  })
})

describe('waitUntil', () => {
  test.each(['of the request', 'of the options', 'of both'])(
    '%s is handed a refill in the background',
    async (whose) => {
      const handed: Record<string, Promise<unknown>[]> = { options: [], request: [] }
      const take = (where: string) => (work: Promise<unknown>) => void handed[where]?.push(work)
      const ofOptions = whose === 'of the request' ? {} : { waitUntil: take('options') }
      const ofRequest = whose === 'of the options' ? {} : { waitUntil: take('request') }
      const made = makeFetchFlight(ofOptions)
      const { flight, clock } = made
      let runs = 0
      const gate = new Gate()
      const next = async (): Promise<Response> => {
        if (++runs === 2) await gate.pass()
        if (runs === 2) throw new Error('out of order')
        return page(`run ${runs}`, { 'Cache-Control': 'max-age=60, stale-while-revalidate=60' })
      }
      await first(made, next, ofRequest)
      clock.skip(61_000)
      expect(await (await flight(get(), next, ofRequest)).text()).toBe('run 1')
      await gate.reached
      const works = Object.values(handed).flat()
      expect(Object.values(handed).map(({ length }) => length)).toEqual([
        whose === 'of the request' ? 0 : 1,
        whose === 'of the options' ? 0 : 1,
      ])
      let isOver = false
      void Promise.all(works).then(() => (isOver = true))
      await new Promise(setImmediate)
      expect(isOver).toBe(false)
      gate.open()
      await expect(Promise.all(works)).resolves.toBeDefined()
    },
  )

  test('is handed a run whose client has left', async () => {
    const { flight } = makeFetchFlight()
    const handed: Promise<unknown>[] = []
    const handler = written()
    const next = (): Response => new Response(handler.body, { headers: SHARED })
    const response = await flight(get(), next, { waitUntil: (work) => void handed.push(work) })
    expect(handed).toEqual([])
    await response.body?.cancel()
    expect(handed.length).toBe(1)
    handler.end()
    await Promise.all(handed)
    expect(status(await flight(get(), next))).toContain('hit')
  })
})

test('a stale response is answered at once while the handler runs once in the background', async () => {
  const made = makeFetchFlight()
  const { flight, clock, cache } = made
  let runs = 0
  const gate = new Gate()
  const next = async (): Promise<Response> => {
    if (++runs === 2) await gate.pass()
    return page(`run ${runs}`, { 'Cache-Control': 'max-age=1, stale-while-revalidate=60' })
  }
  await first(made, next)
  clock.skip(2000)
  const stale = await Promise.all(Array.from({ length: 20 }, () => flight(get(), next)))
  expect(new Set(await Promise.all(stale.map((each) => each.text())))).toEqual(new Set(['run 1']))
  const stored = refilled(cache)
  gate.open()
  await stored
  expect(await (await flight(get(), next)).text()).toBe('run 2')
  expect(runs).toBe(2)
})

test('a second flight on the way of the same request leaves it to the first', async () => {
  const { flight, cache } = makeFetchFlight()
  const inner = makeFetchFlight().flight
  let runs = 0
  const both = (): Promise<Response> => flight(get(), (request) => inner(request, () => page(`run ${++runs}`)))
  await (await both()).text()
  expect(await (await both()).text()).toBe('run 1')
  expect([cache.stats().entries, inner.cache.stats().entries]).toEqual([1, 0])
})

describe('arguments', () => {
  test('that are none are refused', async () => {
    const { flight } = makeFetchFlight()
    await expect(flight('/a' as never, () => page())).rejects.toThrow('request must be a Request, received "/a"')
    await expect(flight(get(), 1 as never)).rejects.toThrow('next must be a function, received 1')
    await expect(flight(get(), () => page(), { waitUntil: 1 as never })).rejects.toThrow(
      'waitUntil must be a function, received 1',
    )
    expect(() => flight.wrap('a' as never)).toThrow('handler must be a function, received "a"')
  })

  test('of options are requests of fetch', async () => {
    const { flight } = makeFetchFlight({
      key: ((request: Request) => new URL(request.url).pathname) as never,
      bypass: ((request: Request) => request.headers.has('x-preview')) as never,
    })
    let runs = 0
    const ask = async (query: string, headers = {}): Promise<string> =>
      (await flight(get(URL_A + query, { headers }), () => page(`run ${++runs}`))).text()
    expect([await ask('?a'), await ask('?b'), await ask('', { 'X-Preview': '1' })]).toEqual(['run 1', 'run 1', 'run 2'])
  })
})
