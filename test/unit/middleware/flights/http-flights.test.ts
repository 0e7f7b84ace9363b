import { describe, expect, onTestFinished, test } from 'vitest'

import { createCacheOn } from '../../../../src/cache/create-cache.ts'
import { HttpFlights } from '../../../../src/middleware/flights/http-flights.ts'
import { type OptionsFor, resolveOptions } from '../../../../src/middleware/options.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeRandom } from '../../../support/fake-random.ts'
import { exchangeOf, type FakeExchange, type FakeRequest } from '../support/fake-exchange.ts'

const SHAREABLE = { 'Cache-Control': 'max-age=60' }
const PRIVATE = { 'Cache-Control': 'private' }
const LOAD_TIMEOUT = 10_000

function setUp(options: OptionsFor<unknown> = {}) {
  const clock = new FakeClock()
  const random = new FakeRandom()
  const cache = createCacheOn({ ttl: 60_000, loadTimeout: LOAD_TIMEOUT, memory: { maxEntries: 100 } }, clock, random)
  onTestFinished(() => cache.close())
  const flights = new HttpFlights(cache, resolveOptions(options), clock, random)
  /** Requests that come in one after the other. */
  async function enter(...requests: FakeRequest[]): Promise<FakeExchange[]> {
    const exchanges = requests.map((request) => exchangeOf({ options, at: clock.wallNow(), ...request }))
    for (const exchange of exchanges) {
      flights.enter(exchange)
      await clock.settle()
    }
    return exchanges
  }
  async function two(first: FakeRequest = {}, second: FakeRequest = {}): Promise<[FakeExchange, FakeExchange]> {
    return (await enter(first, second)) as [FakeExchange, FakeExchange]
  }
  return { clock, cache, flights, enter, two }
}

/** Which handlers run, and how. */
function runs(exchanges: readonly FakeExchange[]): string[] {
  return exchanges.map(({ edge }) => (edge.runs.length > 0 ? 'recorded' : edge.headAlone ? 'alone' : 'none'))
}

/** What an exchange whose handler runs for it alone says in Cache-Status. */
function labelOf({ edge }: FakeExchange, fields: Record<string, string> = {}, status = 200): string | undefined {
  return edge.headAlone?.({ status, message: '', fields: Object.entries(fields).flat() })
}

describe('requests for one key', () => {
  test('have one handler run, whose answer is stored', async () => {
    const { cache, clock, enter } = setUp()
    const exchanges = await enter({}, {}, {})
    expect(runs(exchanges)).toEqual(['recorded', 'none', 'none'])
    exchanges[0]?.edge.run.head(SHAREABLE)
    exchanges[0]?.edge.run.end('page')
    await clock.settle()
    expect(exchanges.map(({ edge }) => edge.client.body)).toEqual(['page', 'page', 'page'])
    expect([cache.peek('Ga/') !== undefined, cache.stats().coalesced]).toEqual([true, 2])
  })

  test('that come while the answer is written follow it', async () => {
    const { enter } = setUp()
    const [leader] = await enter({})
    leader?.edge.run.head(SHAREABLE)
    leader?.edge.run.chunk('one ')
    const [late] = await enter({})
    leader?.edge.run.end('two')
    expect([late?.edge.client.body, late?.edge.runs.length]).toEqual(['one two', 0])
  })

  test('are another matter for another key', async () => {
    const { enter } = setUp()
    expect(runs(await enter({}, { resource: '/other' }, { asked: { cookie: true } }))).toEqual(
      Array(3).fill('recorded'),
    )
  })

  test('more than maxWaiters of them run their own handler', async () => {
    const { enter } = setUp({ maxWaiters: 2 })
    const exchanges = await enter({}, {}, {}, {})
    expect(runs(exchanges)).toEqual(['recorded', 'none', 'none', 'alone'])
    expect(exchanges.map((exchange) => labelOf(exchange, SHAREABLE)).at(-1)).toBe(
      'herdlock; fwd=uri-miss; fwd-status=200; detail=crowded',
    )
  })

  test('one whose client has left gets nothing and runs nothing', async () => {
    const { flights, clock } = setUp()
    const exchange = exchangeOf()
    exchange.edge.client.leave()
    flights.enter(exchange)
    flights.runAlone(exchange, 'unshared')
    await clock.settle()
    expect(runs([exchange])).toEqual(['none'])
  })

  test('a HEAD has the answer of a GET, a GET never that of a HEAD', async () => {
    const { two } = setUp()
    const [get, head] = await two({}, { method: 'HEAD' })
    get.edge.run.head(SHAREABLE)
    expect([head.edge.client.status, head.edge.client.state, runs([get, head])[1]]).toEqual([200, 'ended', 'none'])
    const others = setUp()
    expect(runs(await others.enter({ method: 'HEAD' }, {}))).toEqual(['recorded', 'recorded'])
  })

  test('go apart by what the answer varies on', async () => {
    const { clock, two } = setUp()
    const [first, second] = await two({ headers: { accept: 'a' } }, { headers: { accept: 'b' } })
    first.edge.run.head({ ...SHAREABLE, Vary: 'Accept' })
    await clock.settle()
    expect([runs([first, second]), second.reason]).toEqual([['recorded', 'recorded'], 'vary-miss'])
    const same = setUp()
    const [one, other] = await same.two({ headers: { accept: 'a' } }, { headers: { accept: 'a' } })
    one.edge.run.head({ ...SHAREABLE, Vary: 'Accept' })
    one.edge.run.end('page')
    expect([other.edge.client.body, runs([other])]).toEqual(['page', ['none']])
  })
})

describe('an answer that is not for others', () => {
  test('releases all who wait, and those who come later do not wait', async () => {
    const { clock, enter } = setUp({ unsharedFor: 1000 })
    const [leader, ...others] = await enter({}, {}, {})
    leader?.edge.run.head(PRIVATE)
    expect(runs(others)).toEqual(['alone', 'alone'])
    expect(others.map((each) => labelOf(each, PRIVATE))).toEqual(
      Array(2).fill('herdlock; fwd=uri-miss; fwd-status=200; detail=private'),
    )
    await clock.advance(999)
    expect(runs(await enter({}, {}))).toEqual(['alone', 'alone'])
  })

  test('is forgotten after unsharedFor', async () => {
    const { clock, enter } = setUp({ unsharedFor: 60_000 })
    const [leader] = await enter({})
    leader?.edge.run.head(PRIVATE)
    leader?.edge.run.end()
    await clock.advance(59_999)
    expect(runs(await enter({}, {}))).toEqual(['alone', 'alone'])
    await clock.advance(1)
    expect(runs(await enter({}))).toEqual(['recorded'])
  })

  test.each([
    [PRIVATE, 200, 'alone'],
    [SHAREABLE, 200, 'recorded'],
    [{}, 404, 'recorded'],
  ] as const)('is learnt from a handler that runs alone: %j, %i: the next one is %s', async (fields, status, next) => {
    const { flights, enter } = setUp()
    const exchange = exchangeOf()
    flights.runAlone(exchange, 'crowded')
    labelOf(exchange, fields, status)
    expect(runs(await enter({}))).toEqual([next])
  })

  test('about the request at hand marks nothing', async () => {
    const { clock, two, enter } = setUp()
    const [leader, other] = await two()
    leader.edge.run.head({}, 404)
    expect(runs([other])).toEqual(['alone'])
    await clock.settle()
    expect(runs(await enter({}))).toEqual(['recorded'])
  })

  test('is known for its own key alone', async () => {
    const { enter } = setUp()
    const [leader] = await enter({})
    leader?.edge.run.head(PRIVATE)
    expect(runs(await enter({ resource: '/other' }))).toEqual(['recorded'])
  })

  test.each([
    ['is for others now: it is waited for again', SHAREABLE, 200, 'recorded'],
    ['is not for others still: it is not waited for', PRIVATE, 200, 'alone'],
  ] as const)('that %s', async (_name, fields, status, then) => {
    const { clock, cache, enter } = setUp()
    const [leader] = await enter({})
    leader?.edge.run.head(PRIVATE)
    leader?.edge.run.end()
    await clock.settle()
    const [alone] = await enter({})
    if (alone !== undefined) labelOf(alone, fields, status)
    await cache.invalidate('Ga/')
    expect(runs(await enter({}))).toEqual([then])
  })

  test('that is for others where a handler runs alone says why it did', async () => {
    const { flights } = setUp()
    const exchange = exchangeOf()
    flights.runAlone(exchange, 'unshared')
    expect(labelOf(exchange, { ...SHAREABLE, 'Cache-Status': 'cdn; hit' })).toBe(
      'cdn; hit, herdlock; fwd=uri-miss; fwd-status=200; detail=unshared',
    )
  })
})

describe('a fill that comes to nothing', () => {
  test('lets those who wait compete again, twice at most', async () => {
    const { clock, enter } = setUp()
    const [first, second, third, fourth] = await enter({}, {}, {}, {})
    first?.edge.run.cut()
    await clock.settle()
    expect(runs([second, third, fourth] as FakeExchange[])).toEqual(['recorded', 'none', 'none'])
    second?.edge.run.cut()
    await clock.settle()
    expect(runs([third, fourth] as FakeExchange[])).toEqual(['alone', 'alone'])
    expect(labelOf(third as FakeExchange, SHAREABLE)).toContain('detail=gave-up')
  })

  test('because the handler hangs is given up after loadTimeout', async () => {
    const { clock, two } = setUp()
    const [first, second] = await two()
    await clock.advance(LOAD_TIMEOUT)
    expect(runs([first, second])).toEqual(['recorded', 'recorded'])
  })

  test('because the request is of a kind that is not understood runs its handler alone', async () => {
    const { clock, flights } = setUp()
    const [foreign, other] = [exchangeOf(), exchangeOf()]
    if (foreign === undefined || other === undefined) throw new Error('two')
    foreign.edge.isForeign = true
    flights.enter(foreign)
    flights.enter(other)
    await clock.settle()
    expect(runs([foreign, other])).toEqual(['alone', 'recorded'])
  })

  test('leaves nobody who asked for a part without an answer', async () => {
    const { clock, two } = setUp()
    const [leader, part] = await two({}, { headers: { range: 'bytes=0-1' } })
    leader.edge.run.head(SHAREABLE)
    leader.edge.run.chunk('01')
    leader.edge.run.error(new Error('in the middle'))
    await clock.settle()
    expect(runs([part])).toEqual(['recorded'])
    part.edge.run.head(SHAREABLE)
    part.edge.run.end('0123')
    expect([part.edge.client.status, part.edge.client.body]).toEqual([206, '01'])
  })
})

describe('what changes while it is asked for', () => {
  test.each([
    ['its key', (flights: HttpFlights) => flights.forget(['Ga/'])],
    ['everything', (flights: HttpFlights) => flights.forgetAll()],
  ])('%s is forgotten: nobody joins a run that began before', async (_name, forget) => {
    const { flights, enter } = setUp()
    const [before] = await enter({})
    forget(flights)
    const [after] = await enter({})
    before?.edge.run.head(SHAREABLE)
    before?.edge.run.end('old')
    expect(after?.edge.client.state).toBe('waiting')
  })

  test('other keys are not touched', async () => {
    const { flights, enter } = setUp()
    const [before] = await enter({})
    flights.forget(['Ga/other'])
    const [after] = await enter({})
    before?.edge.run.head(SHAREABLE)
    before?.edge.run.end('page')
    expect(after?.edge.client.body).toBe('page')
  })
})

describe('a stale response that may be sent', () => {
  async function stale() {
    const lab = setUp()
    const [first] = await lab.enter({})
    first?.edge.run.head({ 'Cache-Control': 'max-age=1, stale-while-revalidate=60' })
    first?.edge.run.end('old')
    await lab.clock.advance(2000)
    const [asking] = await lab.enter({})
    if (asking === undefined) throw new Error('one')
    return { ...lab, asking }
  }

  test('is sent at once, and the handler runs for nobody once that response is closed', async () => {
    const { clock, asking, flights } = await stale()
    expect([asking.edge.client.body, asking.edge.client.fields['age'], asking.edge.runs.length]).toEqual([
      'old',
      '2',
      0,
    ])
    asking.edge.becomeFree()
    await clock.settle()
    expect(asking.edge.run.terms.isStandIn).toBe(true)
    expect(flights.staleOf('Ga/', clock.wallNow())).toBeDefined()
    asking.edge.run.head(SHAREABLE)
    asking.edge.run.end('new')
    await clock.settle()
    expect(flights.staleOf('Ga/', clock.wallNow())).toBeUndefined()
  })

  test.each([
    ['its key', (flights: HttpFlights) => flights.forget(['Ga/'])],
    ['everything', (flights: HttpFlights) => flights.forgetAll()],
  ])('is not sent once %s is forgotten', async (_name, forget) => {
    const { clock, flights, asking } = await stale()
    asking.edge.becomeFree()
    await clock.settle()
    expect(flights.staleOf('Ga/', clock.wallNow())).toBeDefined()
    forget(flights)
    expect(flights.staleOf('Ga/', clock.wallNow())).toBeUndefined()
  })

  test('is not sent in the quick way while the refill waits for a response that is closed', async () => {
    const { clock, flights } = await stale()
    expect([flights.donors.areWanted('Ga/'), flights.staleOf('Ga/', clock.wallNow())]).toEqual([true, undefined])
  })

  test('is sent by a request that cannot stand in, unless the refill waits for one', async () => {
    const { clock, flights, asking } = await stale()
    const foreign = exchangeOf({ at: clock.wallNow() })
    foreign.edge.canStandIn = false
    flights.enter(foreign)
    await clock.settle()
    expect([foreign.edge.run.terms.isStandIn, asking.edge.runs.length]).toEqual([false, 0])
  })

  test('is not sent longer than it may be', async () => {
    const { clock, flights, asking } = await stale()
    asking.edge.becomeFree()
    await clock.settle()
    expect(flights.staleOf('Ga/', clock.wallNow() + 58_999)).toBeDefined()
    expect(flights.staleOf('Ga/', clock.wallNow() + 59_000)).toBeUndefined()
  })
})
