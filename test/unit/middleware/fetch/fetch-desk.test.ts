import { afterEach, describe, expect, test, vi } from 'vitest'

import type { Cache } from '../../../../src/cache/cache.ts'
import { createCacheOn } from '../../../../src/cache/create-cache.ts'
import { FetchDesk } from '../../../../src/middleware/fetch/fetch-desk.ts'
import { FetchRequest } from '../../../../src/middleware/fetch/fetch-request.ts'
import { plainRoute } from '../../../../src/middleware/fetch/route.ts'
import type { OptionsFor } from '../../../../src/middleware/options.ts'
import type { WaitUntil } from '../../../../src/middleware/wait-until.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeRandom } from '../../../support/fake-random.ts'

const caches: Cache[] = []
afterEach(() => Promise.all(caches.splice(0).map((cache) => cache.close())))

interface Made {
  desk: FetchDesk
  clock: FakeClock
}

function deskOf(options: OptionsFor<Request> = {}): Made {
  const doors = { clock: new FakeClock(), random: new FakeRandom() }
  const cache = createCacheOn({ ttl: 1000 }, doors.clock, doors.random)
  caches.push(cache)
  return { desk: new FetchDesk({ cache, ...options }, doors), clock: doors.clock }
}

const get = (init: RequestInit = {}): FetchRequest => new FetchRequest(new Request('http://a.example/page', init))

type Answer = () => Response

/** Answers with `body`, to be kept. */
const answering =
  (body: string | null, status = 200): Answer =>
  () =>
    new Response(body, { status, headers: { 'Cache-Control': 'max-age=60, stale-while-revalidate=60' } })

function ask(desk: FetchDesk, answer: Answer, waitUntil?: WaitUntil): Response | Promise<Response> {
  const request = get()
  return desk.receive(request, plainRoute(request.native, answer), waitUntil)
}

async function store({ desk, clock }: Made, answer: Answer): Promise<void> {
  const response = await ask(desk, answer)
  await response.text()
  await clock.settle()
}

describe('a plain hit', () => {
  test('is what is fresh in memory, at its age', async () => {
    const made = deskOf()
    const { desk, clock } = made
    expect(desk.plainHit(get())).toBeUndefined()
    await store(made, answering('page'))
    await clock.advance(7_000)
    const hit = desk.plainHit(get())
    expect([hit?.status, hit?.headers.get('age'), await hit?.text()]).toEqual([200, '7', 'page'])
    await clock.advance(60_000)
    expect(desk.plainHit(get())).toBeUndefined()
  })

  test('has no body where there is none', async () => {
    const made = deskOf()
    await store(made, answering(null, 404))
    const hit = made.desk.plainHit(get())
    expect([hit?.status, hit?.body]).toEqual([404, null])
  })

  test.each([
    ['of another method', { method: 'HEAD' }],
    ['with a cookie', { headers: { cookie: 'a=1' } }],
    ['for another host', { headers: { host: 'b.example' } }],
  ])('is none for a request %s', async (_name, init) => {
    const made = deskOf()
    await store(made, answering('page'))
    expect([made.desk.plainHit(get(init)), made.desk.plainHit(get())?.status]).toEqual([undefined, 200])
  })

  test('is none where a function has a say', async () => {
    const made = deskOf({ bypass: () => false })
    await store(made, answering('page'))
    expect(made.desk.plainHit(get())).toBeUndefined()
    const kept = await ask(made.desk, answering('other'))
    expect(await kept.text()).toBe('page')
  })
})

test('the host of the option and that of the request are both handed what goes on', async () => {
  const [ofOption, ofRequest] = [vi.fn<WaitUntil>(), vi.fn<WaitUntil>()]
  const made = deskOf({ waitUntil: ofOption })
  await store(made, answering('page'))
  await made.clock.advance(61_000)
  const stale = await ask(made.desk, answering('page'), ofRequest)
  await made.clock.settle()
  expect([stale.headers.get('age'), ofOption.mock.calls.length]).toEqual(['61', 1])
  expect(ofRequest.mock.calls).toEqual(ofOption.mock.calls)
})

test('closing leaves open a cache that was given', async () => {
  const { desk } = deskOf()
  await desk.close()
  await desk.cache.set('key', 'value')
  const own = new FetchDesk({}, { clock: new FakeClock(), random: new FakeRandom() })
  await own.close()
  await expect(own.cache.set('key', 'value')).rejects.toThrow('closed')
})
