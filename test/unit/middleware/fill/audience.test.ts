import { describe, expect, test } from 'vitest'

import { Audience } from '../../../../src/middleware/fill/audience.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { exchangeOf, type FakeRequest } from '../support/fake-exchange.ts'

const STALL = 1000
const HEAD = {
  ...{ status: 200, message: 'OK', removed: [], joins: [] },
  fields: ['Content-Type', 'text/plain', 'Link', '</a>', 'Link', '</b>'],
}

function setUp() {
  const clock = new FakeClock()
  const told: string[] = []
  const audience = new Audience(
    { cut: () => void told.push('client cut') },
    {
      ...{ clock, stallTimeout: STALL },
      onReady: () => void told.push('ready'),
      onAllGone: () => void told.push('all gone'),
    },
  )
  const admit = (request?: FakeRequest, age = 0) => {
    const exchange = exchangeOf(request)
    audience.admit(exchange, HEAD, age)
    return exchange.edge.client
  }
  return { clock, told, audience, admit, write: (text: string) => audience.write(Buffer.from(text), false) }
}

describe('the head', () => {
  test('has Cache-Status anew, and no Age for what has none', () => {
    const { admit } = setUp()
    const { status, fields } = admit(undefined, 999)
    expect(status).toBe(200)
    expect(fields).toEqual({
      'content-type': 'text/plain',
      link: '</a>,</b>',
      'cache-status': 'herdlock; fwd=uri-miss; fwd-status=200; collapsed',
    })
  })

  test('has the age of the moment, in whole seconds', () => {
    const { admit } = setUp()
    expect([admit(undefined, 1999).fields['age'], admit(undefined, 2000).fields['age']]).toEqual(['1', '2'])
  })

  test('says why this very request was not answered from the store', () => {
    const { audience } = setUp()
    const exchanges = [exchangeOf(), exchangeOf()]
    if (exchanges[1] !== undefined) exchanges[1].reason = 'vary-miss'
    for (const exchange of exchanges) audience.admit(exchange, HEAD, 0)
    const said = exchanges.map(({ edge }) => edge.client.fields['cache-status']?.split('; ')[1])
    expect(said).toEqual(['fwd=uri-miss', 'fwd=vary-miss'])
  })
})

describe('a body that is kept', () => {
  test('comes to everybody, early or late, and is there as a whole', () => {
    const { audience, admit, write } = setUp()
    const early = admit()
    write('one ')
    const late = admit()
    write('two')
    audience.end()
    expect([early.body, late.body, early.state, late.state]).toEqual(['one two', 'one two', 'ended', 'ended'])
    expect(audience.body().toString()).toBe('one two')
  })

  test('of one piece is that piece, not a copy', () => {
    const { audience } = setUp()
    const piece = Buffer.from('one')
    audience.write(piece, false)
    expect(audience.body()).toBe(piece)
  })

  test('waits for nobody', async () => {
    const { clock, told, audience, admit, write } = setUp()
    const slow = admit()
    slow.isFull = true
    write('one')
    audience.clientIs(true)
    await clock.advance(STALL * 2)
    expect([audience.isHeldUp, slow.state, told]).toEqual([false, 'reading', []])
  })

  test('goes on though all have left', () => {
    const { told, audience, admit, write } = setUp()
    admit().leave()
    write('one')
    expect([told, audience.isEmpty, audience.body().toString()]).toEqual([['all gone'], true, 'one'])
  })

  test('is nothing to a HEAD, which has its answer', () => {
    const { admit, write } = setUp()
    write('one')
    const client = admit({ method: 'HEAD' })
    write('two')
    expect([client.status, client.body, client.state]).toEqual([200, '', 'ended'])
  })
})

describe('a body that is not kept any more', () => {
  function outgrown() {
    const lab = setUp()
    const one = lab.admit()
    const other = lab.admit()
    one.isFull = true
    lab.write('one ')
    lab.audience.stopKeeping()
    return { ...lab, slow: one, quick: other }
  }

  test('waits for the slowest, who was full before', () => {
    const { told, audience, slow, quick, write } = outgrown()
    expect(audience.isHeldUp).toBe(true)
    write('two')
    expect([slow.body, quick.body]).toEqual(['one ', 'one two'])
    slow.drain()
    expect([slow.body, audience.isHeldUp, told]).toEqual(['one two', false, ['ready']])
    expect(audience.body()).toHaveLength(0)
  })

  test('cuts who takes nothing for too long, alone', async () => {
    const { clock, told, audience, slow, quick } = outgrown()
    await clock.advance(STALL)
    expect([slow.state, quick.state, audience.isHeldUp]).toEqual(['cut', 'reading', false])
    expect([told, audience.isEmpty]).toEqual([['ready'], false])
  })

  test('never cuts who reads, however slowly', async () => {
    const { clock, audience, slow, write } = outgrown()
    for (const piece of ['2', '3', '4', '5', '6']) write(piece)
    for (const body of ['one 2', 'one 23', 'one 234', 'one 2345']) {
      await clock.advance(STALL - 1)
      slow.takeSome()
      expect([slow.body, slow.state, audience.isHeldUp]).toEqual([body, 'reading', true])
    }
    await clock.advance(STALL)
    expect(slow.state).toBe('cut')
  })

  test('waits for the client of the run, and cuts it like the others', async () => {
    const { clock, told, audience, slow } = outgrown()
    slow.drain()
    audience.clientIs(true)
    expect(audience.isHeldUp).toBe(true)
    audience.clientIs(false)
    expect(audience.isHeldUp).toBe(false)
    audience.clientIs(true)
    await clock.advance(STALL)
    expect(told).toEqual(['ready', 'ready', 'client cut', 'ready'])
  })

  test('is nobody’s when the last one has left, who holds up nothing any more', () => {
    const { clock, told, audience, slow, quick } = outgrown()
    quick.leave()
    expect([told, audience.isEmpty]).toEqual([[], false])
    slow.leave()
    expect([told, audience.isEmpty, clock.pendingTimers]).toEqual([['ready', 'all gone'], true, 0])
    audience.clientIs(true)
    expect(audience.isHeldUp).toBe(false)
  })

  test('that is cut off leaves no timer behind', () => {
    const { clock, audience, slow, quick } = outgrown()
    audience.cut()
    expect([slow.state, quick.state, clock.pendingTimers]).toEqual(['cut', 'cut', 0])
  })

  test('comes to its end at each one’s pace', async () => {
    const { clock, audience, slow, quick, write } = outgrown()
    write('two')
    audience.end()
    expect([slow.state, quick.state]).toEqual(['reading', 'ended'])
    await clock.advance(STALL * 2)
    slow.drain()
    expect([slow.body, slow.state]).toEqual(['one two', 'ended'])
  })
})

test('one who leaves is not cut afterwards, all others are', () => {
  const { audience, admit } = setUp()
  const [stays, leaves] = [admit(), admit()]
  leaves.leave()
  audience.cut()
  expect([stays.state, leaves.state, audience.isEmpty]).toEqual(['cut', 'gone', true])
})

test('the last piece goes out with the end, kept or not', () => {
  for (const isKept of [true, false]) {
    const { audience, admit } = setUp()
    const client = admit()
    if (!isKept) audience.stopKeeping()
    audience.write(Buffer.from('last'), true)
    expect(client.body).toBe('')
    audience.end()
    expect([client.body, client.state]).toEqual(['last', 'ended'])
  }
})

test('one who comes after a flush is flushed at once', () => {
  const { audience, admit } = setUp()
  expect(admit().flushes).toBe(0)
  audience.flush()
  expect([admit().flushes, admit({ method: 'HEAD' }).flushes]).toEqual([1, 0])
})

test('all are flushed', () => {
  const { audience, admit } = setUp()
  const clients = [admit(), admit()]
  audience.flush()
  expect(clients.map(({ flushes }) => flushes)).toEqual([1, 1])
})

test('those who are let in for the end have begun nothing, and are taken once', () => {
  const { audience } = setUp()
  const exchange = exchangeOf({ headers: { range: 'bytes=0-1' } })
  audience.admitAtEnd(exchange)
  audience.end()
  expect([audience.isEmpty, exchange.edge.client.state]).toEqual([true, 'waiting'])
  expect([audience.takeUnbegun(), audience.takeUnbegun()]).toEqual([[exchange], []])
})
