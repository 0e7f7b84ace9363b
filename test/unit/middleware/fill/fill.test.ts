import { describe, expect, test } from 'vitest'

import { ClosedError, LoadTimeoutError, LockLostError } from '../../../../src/errors.ts'
import { FillFailedError } from '../../../../src/middleware/fill/fill-failed-error.ts'
import type { StoredResponse } from '../../../../src/middleware/stored/stored-response.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import {
  beginFill,
  type FillLab,
  LOAD_TIMEOUT,
  MAX_BODY,
  ROOM,
  STALL_TIMEOUT,
  storedResponse,
} from '../support/fill-lab.ts'

const SHAREABLE = { 'Cache-Control': 'max-age=60', 'Content-Type': 'text/plain' }
const PRIVATE = { 'Cache-Control': 'private' }
const TO_VALIDATE = { 'Cache-Control': 'no-cache', ETag: '"new"' }
const TOO_LONG = 'x'.repeat(MAX_BODY + 1)

/** What the fill yields once its promises have run. */
async function yielded(lab: FillLab): Promise<StoredResponse | undefined> {
  await lab.clock.settle()
  expect(lab.result).toMatchObject({ state: 'yielded' })
  return lab.result.state === 'yielded' ? lab.result.response : undefined
}

async function failure(lab: FillLab): Promise<unknown> {
  await lab.clock.settle()
  expect(lab.result).toMatchObject({ state: 'failed' })
  return lab.result.state === 'failed' ? lab.result.error : undefined
}

describe('before the head', () => {
  test('nothing is told, nobody can follow', async () => {
    const lab = beginFill()
    expect(lab.handler.starts).toBe(1)
    expect(lab.follow().followed).toBe(false)
    await lab.clock.settle()
    expect([lab.told, lab.result]).toEqual([[], { state: 'pending' }])
  })

  test.each([
    ['with its own client, for others', true, true, { outlivesClient: true, isStandIn: false }],
    ['with its own client, for it alone', true, false, { outlivesClient: false, isStandIn: false }],
    ['for nobody', false, true, { outlivesClient: false, isStandIn: true }],
  ])('a run %s is opened as that', (_name, hasClient, forOthers, terms) => {
    expect(beginFill({ hasClient, forOthers }).handler.terms).toMatchObject(terms)
  })

  test('the handler is asked about a stale response that the request selects, and about no other', () => {
    const clock = new FakeClock()
    const stale = storedResponse(clock, { selecting: [['accept', 'text/html']] })
    const selecting = beginFill({ clock, stale, request: { headers: { accept: 'text/html' } } })
    expect([selecting.handler.terms.validate, selecting.leader.reason]).toEqual([stale, 'stale'])
    const other = beginFill({ clock, stale, request: { headers: { accept: 'text/plain' } } })
    expect([other.handler.terms.validate, other.leader.reason]).toEqual([undefined, 'uri-miss'])
  })

  test('an edge that does not understand its request says so at once', () => {
    const lab = beginFill()
    lab.leader.edge.isForeign = true
    expect(() => lab.leader.edge.open({} as never, {} as never)).toThrow()
  })

  test.each([
    ['time is up', new LoadTimeoutError('k', LOAD_TIMEOUT)],
    ['the cache is closed', new ClosedError('cache')],
  ])('it fails when %s, and the client gets what the handler writes', async (_name, reason) => {
    const lab = beginFill()
    lab.abort(reason)
    expect(await failure(lab)).toBe(reason)
    lab.handler.head(SHAREABLE)
    lab.handler.end('late')
    expect([lab.client.body, lab.client.state, lab.told]).toEqual(['late', 'ended', []])
  })

  test('it fails when the handler gives up', async () => {
    const lab = beginFill()
    const reason = new Error('gone')
    lab.handler.cut(reason)
    expect(await failure(lab)).toBe(reason)
  })

  test('it fails with a reason of its own when the handler gives none', async () => {
    const lab = beginFill()
    lab.handler.cut()
    expect(await failure(lab)).toBeInstanceOf(FillFailedError)
  })

  test('it fails with the error of the handler, which is passed on', async () => {
    const lab = beginFill()
    const error = new Error('next(error)')
    lab.handler.error(error)
    expect(await failure(lab)).toBe(error)
    expect([lab.handler.passedOn, lab.handler.isOff]).toEqual([error, true])
  })
})

describe('the decision at the head', () => {
  test.each([
    ['shareable', SHAREABLE, 200, ['onShare']],
    ['private', PRIVATE, 200, ['doNotShare', 'onUnshared(true)']],
    ['without freshness', {}, 200, ['doNotShare', 'onUnshared(true)']],
    ['an error about the request at hand', {}, 404, ['onUnshared(false)']],
    ['an error of the server', {}, 500, ['onUnshared(false)']],
    ['a 304 that nobody asked for', {}, 304, ['doNotShare', 'onUnshared(true)']],
    ['more than is stored', { ...SHAREABLE, 'Content-Length': '11' }, 200, ['doNotShare', 'onUnshared(true)']],
    ['to be validated each time', TO_VALIDATE, 200, ['doNotShare', 'onUnshared(false)']],
  ] as Array<[string, Record<string, string>, number, string[]]>)(
    '%s: all who wait learn it at once',
    (_name, fields, status, told) => {
      const lab = beginFill()
      lab.handler.head(fields, status)
      expect(lab.told).toEqual(told)
      expect(lab.follow().followed).toBe(told[0] === 'onShare')
      lab.handler.end('body')
      expect([lab.client.status, lab.client.body, lab.client.state]).toEqual([status, 'body', 'ended'])
    },
  )

  test('a lasting refusal yields nothing', async () => {
    const lab = beginFill()
    lab.handler.head(PRIVATE)
    expect(await yielded(lab)).toBeUndefined()
    expect([lab.fill.verdict, lab.handler.isOff, lab.handler.restores]).toEqual([undefined, true, 1])
  })

  test('a refusal about the request at hand fails', async () => {
    const lab = beginFill()
    lab.handler.head({}, 404)
    expect(await failure(lab)).toBeInstanceOf(FillFailedError)
    expect([lab.fill.verdict, lab.handler.isOff, lab.handler.restores]).toEqual([undefined, true, 1])
  })

  test('a body that does not fit beside the other fills is refused, for this time only', () => {
    const lab = beginFill({ roomTaken: ROOM - 4 })
    lab.handler.head({ ...SHAREABLE, 'Content-Length': '5' })
    expect(lab.told).toEqual(['onUnshared(false)'])
    expect(lab.client.fields['cache-status']).toBe('herdlock; fwd=uri-miss; fwd-status=200; detail=fills-full')
  })

  test('the cache learns how long to keep the response, and under which tags', () => {
    const lab = beginFill()
    lab.handler.head({ ...SHAREABLE, 'Cache-Groups': '"news"' })
    const kept = { ttl: 60_000, staleWhileRevalidate: 0, staleIfError: 0, tags: ['news', 'http://a.example news'] }
    expect([lab.keptFor, lab.fill.keptFor]).toEqual([[kept], kept])
  })

  test.each([
    ['stored', SHAREABLE, 'herdlock; fwd=uri-miss; fwd-status=200; stored'],
    [
      'stored, after another cache',
      { ...SHAREABLE, 'Cache-Status': 'cdn; hit' },
      'cdn; hit, herdlock; fwd=uri-miss; fwd-status=200; stored',
    ],
    ['to be validated', TO_VALIDATE, 'herdlock; fwd=uri-miss; fwd-status=200; stored'],
    ['refused', PRIVATE, 'herdlock; fwd=uri-miss; fwd-status=200; detail=private'],
  ] as Array<[string, Record<string, string>, string]>)(
    'the client reads in Cache-Status: %s',
    (_name, fields, member) => {
      const lab = beginFill()
      lab.handler.head(fields)
      expect(lab.client.fields['cache-status']).toBe(member)
    },
  )

  test('a response that is to be shared gets the Date that is stored, unless it has one', async () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    lab.handler.end()
    expect((await yielded(lab))?.date).toBe('Mon, 01 Jan 2024 00:00:00 GMT')
    expect(lab.client.fields['date']).toBe('Mon, 01 Jan 2024 00:00:00 GMT')
    const dated = beginFill()
    dated.handler.head({ ...SHAREABLE, Date: 'Sun, 31 Dec 2023 23:59:59 GMT' })
    expect(dated.client.fields['date']).toBe('Sun, 31 Dec 2023 23:59:59 GMT')
  })

  test('what a layer outside adds when the head goes out may still refuse', async () => {
    const lab = beginFill({ outerFields: ['Set-Cookie', 'a=b'] })
    lab.handler.head(SHAREABLE)
    expect(lab.told).toEqual(['doNotShare', 'onUnshared(true)'])
    lab.handler.end('mine')
    expect(await yielded(lab)).toBeUndefined()
    expect(lab.client.body).toBe('mine')
  })

  test('a run that is for its client alone is not said to be stored, unless it is validated each time', () => {
    const plain = beginFill({ forOthers: false })
    plain.handler.head(SHAREABLE)
    expect(plain.client.fields['cache-status']).not.toContain('stored')
    const validated = beginFill({ forOthers: false })
    validated.handler.head(TO_VALIDATE)
    expect(validated.client.fields['cache-status']).toContain('stored')
  })
})

describe('the whole body', () => {
  test('is yielded to be stored as it came', async () => {
    const lab = beginFill()
    lab.handler.head({ ...SHAREABLE, Connection: 'close' }, 203, 'Said By Others')
    lab.handler.chunk('one ')
    lab.handler.end('two')
    const response = await yielded(lab)
    expect(response).toMatchObject({ status: 203, statusMessage: 'Said By Others', mustValidate: false })
    expect([String(response?.body), response?.get('content-length'), response?.get('connection')]).toEqual([
      'one two',
      '7',
      undefined,
    ])
    expect(lab.handler.restores).toBe(1)
  })

  test('that must be validated is yielded too, for those who ask later', async () => {
    const lab = beginFill()
    lab.handler.head(TO_VALIDATE)
    lab.handler.end('body')
    expect(await yielded(lab)).toMatchObject({ mustValidate: true, etag: '"new"' })
  })

  test.each([
    ['too short', 'GET', 200, '5', 'four', ['failed', 'cut']],
    ['too long', 'GET', 200, '3', 'four', ['failed', 'cut']],
    ['no number', 'GET', 200, 'x', 'four', ['failed', 'cut']],
    ['as long as it says', 'GET', 200, '4', 'four', ['yielded', 'ended']],
    ['none, for HEAD', 'HEAD', 200, '4000', '', ['yielded', 'ended']],
    ['none, for 204', 'GET', 204, '4', '', ['yielded', 'ended']],
  ] as const)(
    'counts if it has the length that it declares: %s',
    async (_name, method, status, length, body, states) => {
      const lab = beginFill({ request: { method, policy: { ttl: 60_000 } } })
      lab.handler.head({ ...SHAREABLE, 'Content-Length': length }, status)
      const follower = lab.follow({ method }).client
      lab.handler.end(body)
      expect(follower.state).toBe(states[1])
      await lab.clock.settle()
      expect([lab.result.state, lab.client.state, lab.client.body]).toEqual([states[0], 'ended', body])
    },
  )

  test('of a HEAD that does not tell the length tells none', async () => {
    const lab = beginFill({ request: { method: 'HEAD' } })
    lab.handler.head(SHAREABLE)
    lab.handler.end()
    expect((await yielded(lab))?.get('content-length')).toBeUndefined()
  })

  test('is stored although the client of the run has left', async () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    lab.client.leave()
    expect(lab.handler.chunk('go ')).toBe(true)
    lab.handler.end('on')
    expect(String((await yielded(lab))?.body)).toBe('go on')
  })

  test('is not waited for where the run was for its client alone', async () => {
    const lab = beginFill({ forOthers: false })
    lab.handler.head(TO_VALIDATE)
    lab.client.leave()
    expect(await failure(lab)).toBeInstanceOf(FillFailedError)
  })

  test('of a run for nobody is yielded like any other', async () => {
    const lab = beginFill({ hasClient: false })
    lab.handler.head(SHAREABLE)
    lab.handler.end('body')
    expect(String((await yielded(lab))?.body)).toBe('body')
  })
})

describe('those who follow', () => {
  test('get the head, what was written before, and every piece as it comes', () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    const early = lab.follow().client
    lab.handler.chunk('one ')
    const late = lab.follow().client
    expect([early.body, late.body]).toEqual(['one ', 'one '])
    lab.handler.chunk('two')
    expect([early.body, late.body, late.state]).toEqual(['one two', 'one two', 'reading'])
    lab.handler.end()
    expect([early.state, late.state]).toEqual(['ended', 'ended'])
  })

  test('read in Cache-Status that they came together, and in Age how long ago the head came', async () => {
    const lab = beginFill()
    lab.handler.head({ ...SHAREABLE, Age: '5', 'Cache-Status': 'cdn; hit' })
    await lab.clock.advance(2999)
    const { fields } = lab.follow().client
    expect(fields).toMatchObject({
      age: '7',
      'cache-status': 'cdn; hit, herdlock; fwd=uri-miss; fwd-status=200; collapsed',
    })
  })

  test('get what the handler flushes', () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    const { client } = lab.follow()
    lab.handler.flush()
    lab.handler.chunk('one')
    lab.handler.flush()
    expect([client.flushes, lab.client.flushes]).toEqual([2, 2])
  })

  test('with HEAD have the whole at once, and it is not taken from them', async () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    lab.handler.chunk('one')
    const { client } = lab.follow({ method: 'HEAD', headers: { 'if-none-match': '"1"' } })
    expect([client.status, client.body, client.state]).toEqual([200, '', 'ended'])
    lab.handler.cut()
    expect(client.state).toBe('ended')
  })

  test('conditionally or in part are answered at the end', async () => {
    const lab = beginFill()
    lab.handler.head({ ...SHAREABLE, ETag: '"1"' })
    const part = lab.follow({ headers: { range: 'bytes=1-2' } })
    const same = lab.follow({ headers: { 'if-none-match': '"1"' } })
    expect([part.followed, part.client.state, same.client.state]).toEqual([true, 'waiting', 'waiting'])
    lab.handler.end('0123')
    expect([part.client.status, part.client.body, part.client.state]).toEqual([206, '12', 'ended'])
    expect([same.client.status, same.client.body]).toEqual([304, ''])
    expect(same.client.fields['cache-status']).toBe('herdlock; fwd=uri-miss; fwd-status=200; collapsed')
    expect(lab.fill.takeUnbegun()).toEqual([])
  })

  test('conditionally or in part are free to ask elsewhere when the end does not come', () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    const part = lab.follow({ headers: { range: 'bytes=1-2' } })
    lab.handler.cut()
    expect([part.client.state, lab.fill.takeUnbegun()]).toEqual(['waiting', [part.exchange]])
  })

  test('see that it breaks off, while the client of the run sees what the handler does', async () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    const { client } = lab.follow()
    lab.handler.error(new Error('in the middle'))
    expect([client.state, lab.client.state, lab.handler.isOff]).toEqual(['cut', 'reading', true])
    expect(lab.handler.passedOn).toEqual(new Error('in the middle'))
    expect(await failure(lab)).toEqual(new Error('in the middle'))
  })

  test('may leave, fail or be slow without anybody else noticing', async () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    const [leaves, fails, slow, fast] = [lab.follow(), lab.follow(), lab.follow(), lab.follow()].map(
      ({ client }) => client,
    )
    if (leaves === undefined || fails === undefined || slow === undefined || fast === undefined) throw new Error('four')
    slow.isFull = true
    expect(lab.handler.chunk('one ')).toBe(true)
    leaves.leave()
    fails.fails = true
    expect(lab.handler.chunk('two ')).toBe(true)
    await lab.clock.advance(STALL_TIMEOUT * 3)
    lab.handler.end('3')
    expect([leaves.state, fails.state, slow.state]).toEqual(['gone', 'cut', 'reading'])
    expect([lab.client.body, fast.body, slow.body]).toEqual(['one two 3', 'one two 3', 'one '])
    slow.drain()
    expect([slow.body, slow.state]).toEqual(['one two 3', 'ended'])
    expect(String((await yielded(lab))?.body)).toBe('one two 3')
  })

  test('are nobody once the fill is over', () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    lab.handler.end('body')
    expect(lab.follow().followed).toBe(false)
  })
})

describe('a body above maxBodyBytes', () => {
  function outgrown(given?: Parameters<typeof beginFill>[0]) {
    const lab = beginFill(given)
    lab.handler.head(SHAREABLE)
    const follower = lab.follow().client
    lab.handler.chunk('first ')
    return { lab, follower }
  }

  test('comes whole to all who have begun, and is not kept', async () => {
    const { lab, follower } = outgrown()
    lab.handler.chunk(TOO_LONG)
    expect(lab.told).toEqual(['onShare', 'doNotShare', 'onUnshared(true)'])
    expect(await yielded(lab)).toBeUndefined()
    expect(lab.follow().followed).toBe(false)
    lab.handler.end(' last')
    const whole = `first ${TOO_LONG} last`
    expect([follower.body, follower.state, lab.client.body]).toEqual([whole, 'ended', whole])
    expect(lab.handler.restores).toBe(1)
  })

  test('of exactly maxBodyBytes is kept', async () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    lab.handler.end('x'.repeat(MAX_BODY))
    expect((await yielded(lab))?.body).toHaveLength(MAX_BODY)
  })

  test('that nobody follows is its client’s alone', () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    expect(lab.handler.chunk(TOO_LONG)).toBe(true)
    expect([lab.handler.isOff, lab.handler.restores]).toEqual([true, 1])
    lab.handler.end()
    expect(lab.client.body).toBe(TOO_LONG)
  })

  test('goes at the pace of the slowest', () => {
    const { lab, follower } = outgrown()
    follower.isFull = true
    expect(lab.handler.chunk(TOO_LONG)).toBe(false)
    expect(lab.handler.resumes).toBe(0)
    follower.drain()
    expect(lab.handler.resumes).toBe(1)
    expect(lab.handler.chunk('more')).toBe(true)
    lab.client.isFull = true
    expect(lab.handler.chunk('more')).toBe(false)
    lab.client.drain()
    expect(lab.handler.resumes).toBe(2)
    expect(lab.client.body).toBe(`first ${TOO_LONG}moremore`)
  })

  test('waits for one who was full before it outgrew', () => {
    const { lab, follower } = outgrown()
    follower.isFull = true
    expect(lab.handler.chunk('1')).toBe(true)
    expect(lab.handler.chunk(TOO_LONG)).toBe(false)
    expect(follower.body).toBe('first 1')
    follower.drain()
    expect(follower.body).toBe(`first 1${TOO_LONG}`)
  })

  test('cuts who takes nothing for stallTimeout, alone', async () => {
    const { lab, follower } = outgrown()
    const other = lab.follow().client
    follower.isFull = true
    lab.handler.chunk(TOO_LONG)
    await lab.clock.advance(STALL_TIMEOUT - 1)
    expect([follower.state, lab.handler.resumes]).toEqual(['reading', 0])
    await lab.clock.advance(1)
    expect([follower.state, other.state, lab.handler.resumes]).toEqual(['cut', 'reading', 1])
    lab.handler.end('!')
    expect([other.body, other.state, lab.client.state]).toEqual([`first ${TOO_LONG}!`, 'ended', 'ended'])
  })

  test('cuts the client of the run too, if others wait for it', async () => {
    const { lab, follower } = outgrown()
    lab.client.isFull = true
    lab.handler.chunk(TOO_LONG)
    await lab.clock.advance(STALL_TIMEOUT)
    expect([lab.client.state, lab.handler.resumes]).toEqual(['cut', 1])
    expect(lab.handler.chunk('!')).toBe(true)
    lab.handler.end()
    expect([follower.body, follower.state]).toEqual([`first ${TOO_LONG}!`, 'ended'])
  })

  test('never cuts a client that holds up nobody', async () => {
    const { lab, follower } = outgrown()
    lab.client.isFull = true
    lab.handler.chunk(TOO_LONG)
    follower.leave()
    await lab.clock.advance(LOAD_TIMEOUT * 2)
    expect([lab.client.state, lab.handler.isOff]).toEqual(['reading', true])
  })

  test('is its client’s alone once the last follower has left', () => {
    const { lab, follower } = outgrown()
    lab.handler.chunk(TOO_LONG)
    expect(lab.handler.isOff).toBe(false)
    follower.leave()
    expect([lab.handler.isOff, lab.handler.restores]).toEqual([true, 1])
  })

  test('goes on for its followers when the client of the run has left', () => {
    const { lab, follower } = outgrown()
    lab.client.isFull = true
    expect(lab.handler.chunk(TOO_LONG)).toBe(false)
    lab.client.leave()
    expect(lab.handler.resumes).toBe(1)
    lab.handler.end('!')
    expect(follower.body).toBe(`first ${TOO_LONG}!`)
  })

  test('releases those who have not begun', () => {
    const { lab } = outgrown()
    const part = lab.follow({ headers: { range: 'bytes=1-2' } })
    lab.handler.chunk(TOO_LONG)
    expect([part.client.state, lab.fill.takeUnbegun()]).toEqual(['waiting', [part.exchange]])
  })

  test('flushes to those who have begun', () => {
    const { lab, follower } = outgrown()
    lab.handler.chunk(TOO_LONG)
    lab.handler.flush()
    expect(follower.flushes).toBe(1)
  })

  test('cut by the handler is cut for all who follow', () => {
    const { lab, follower } = outgrown()
    lab.handler.chunk(TOO_LONG)
    lab.handler.cut()
    expect([follower.state, lab.client.state]).toEqual(['cut', 'cut'])
  })
})

describe('a handler that stops in the middle', () => {
  function passing() {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    const follower = lab.follow().client
    lab.handler.chunk(TOO_LONG)
    return { lab, follower }
  }

  test('is left to its own client after loadTimeout without a byte, and those who follow are cut', async () => {
    const { lab, follower } = passing()
    await lab.clock.advance(LOAD_TIMEOUT - 1)
    lab.handler.chunk('.')
    await lab.clock.advance(LOAD_TIMEOUT - 1)
    expect(follower.state).toBe('reading')
    await lab.clock.advance(1)
    expect([follower.state, lab.client.state, lab.handler.isOff]).toEqual(['cut', 'reading', true])
  })

  test('has all the time that its readers hold it up, and loadTimeout from then on', async () => {
    const { lab, follower } = passing()
    const other = lab.follow()
    expect(other.followed).toBe(false)
    for (let time = 0; time < LOAD_TIMEOUT * 2; time += STALL_TIMEOUT - 1) {
      follower.isFull = true
      lab.handler.chunk('.')
      await lab.clock.advance(STALL_TIMEOUT - 1)
      follower.drain()
    }
    await lab.clock.advance(LOAD_TIMEOUT - 1)
    expect(follower.state).toBe('reading')
    await lab.clock.advance(1)
    expect(follower.state).toBe('cut')
  })

  test('is excused as long as one who reads slowly holds it up', async () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    const follower = lab.follow().client
    follower.isFull = true
    for (const piece of '123456') lab.handler.chunk(piece)
    lab.handler.chunk(TOO_LONG)
    for (let time = 0; time < LOAD_TIMEOUT * 1.2; time += STALL_TIMEOUT - 1) {
      await lab.clock.advance(STALL_TIMEOUT - 1)
      follower.takeSome()
    }
    expect([follower.state, lab.handler.resumes]).toEqual(['reading', 0])
    follower.drain()
    expect([follower.body, lab.handler.resumes]).toEqual([`123456${TOO_LONG}`, 1])
  })

  test('is not watched once the fill is over', async () => {
    const { lab } = passing()
    lab.handler.end()
    await lab.clock.settle()
    expect(lab.clock.pendingTimers).toBe(0)
  })
})

describe('the signal of the load', () => {
  function sharing() {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    const follower = lab.follow().client
    lab.handler.chunk('one ')
    return { lab, follower }
  }

  test.each(['before the head', 'after it'])('a lost lease, %s: the fill goes on', async (when) => {
    const lab = beginFill()
    if (when === 'before the head') lab.abort(new LockLostError('k', 'it expired'))
    lab.handler.head(SHAREABLE)
    if (when !== 'before the head') lab.abort(new LockLostError('k', 'it expired'))
    const { client, followed } = lab.follow()
    lab.handler.end('whole')
    expect([followed, client.body, client.state]).toEqual([true, 'whole', 'ended'])
    expect(String((await yielded(lab))?.body)).toBe('whole')
  })

  test.each([
    ['time is up', new LoadTimeoutError('k', LOAD_TIMEOUT), true],
    ['the cache is closed', new ClosedError('cache'), false],
  ])('%s, after the head: who has begun goes on, and nothing is kept', async (_name, reason, lasting) => {
    const { lab, follower } = sharing()
    lab.abort(reason)
    expect(lab.told).toEqual(['onShare', 'doNotShare', `onUnshared(${lasting})`])
    expect(await yielded(lab)).toBeUndefined()
    lab.handler.end('two')
    expect([follower.body, follower.state, lab.client.body]).toEqual(['one two', 'ended', 'one two'])
  })

  test('time is up and no byte has come since the head: who follows is cut', async () => {
    const { lab, follower } = sharing()
    await lab.clock.advance(LOAD_TIMEOUT)
    lab.abort(new LoadTimeoutError('k', LOAD_TIMEOUT))
    await lab.clock.settle()
    await lab.clock.advance(0)
    expect([follower.state, lab.client.state]).toEqual(['cut', 'reading'])
  })

  test('time is up soon after the head: the handler has loadTimeout from there', async () => {
    const lab = beginFill()
    await lab.clock.advance(LOAD_TIMEOUT - 1)
    lab.handler.head(SHAREABLE)
    const follower = lab.follow().client
    await lab.clock.advance(1)
    lab.abort(new LoadTimeoutError('k', LOAD_TIMEOUT))
    await lab.clock.advance(LOAD_TIMEOUT - 2)
    expect(follower.state).toBe('reading')
    await lab.clock.advance(1)
    expect(follower.state).toBe('cut')
  })

  test('time is up when all is over: nothing happens', async () => {
    const { lab, follower } = sharing()
    lab.handler.end()
    lab.abort(new LoadTimeoutError('k', LOAD_TIMEOUT))
    expect([lab.told, follower.state]).toEqual([['onShare'], 'ended'])
    expect(await yielded(lab)).toBeDefined()
  })
})

describe('falling back on a stale response', () => {
  function failing(staleIfError = 7_200_000, given: Parameters<typeof beginFill>[0] = {}) {
    const clock = new FakeClock()
    const lifetime = { age: 0, freshness: 60_000, staleWhileRevalidate: 0, staleIfError }
    const stale = storedResponse(clock, { lifetime })
    return { lab: beginFill({ clock, stale, ...given }), stale }
  }

  test.each([500, 502, 503, 504])('the stale response takes the place of a %i', async (status) => {
    const { lab, stale } = failing()
    lab.handler.head(PRIVATE, status)
    lab.handler.end('broken')
    expect(await failure(lab)).toBeInstanceOf(FillFailedError)
    expect([lab.client.state, lab.told]).toEqual(['waiting', []])
    lab.fill.answerWith(stale)
    expect([lab.client.status, lab.client.body, lab.client.state]).toEqual([200, 'stale', 'ended'])
    expect(lab.client.fields).toMatchObject({ age: '3600', 'cache-status': 'herdlock; hit; ttl=-3540' })
    expect(lab.handler.restores).toBe(1)
  })

  test.each([
    ['of an error that is no failure of the server', 404, 7_200_000],
    ['of a 501', 501, 7_200_000],
    ['once stale-if-error is over', 503, 1_000],
  ])('never in place %s', (_name, status, staleIfError) => {
    const { lab, stale } = failing(staleIfError)
    lab.handler.head({}, status)
    lab.fill.answerWith(stale)
    lab.handler.end('broken')
    expect([lab.client.status, lab.client.body]).toEqual([status, 'broken'])
  })

  test('the stale response takes the place of an error that is passed on', async () => {
    const { lab, stale } = failing()
    const error = new Error('next(error)')
    lab.handler.error(error)
    expect(await failure(lab)).toBe(error)
    expect([lab.handler.passedOn, lab.handler.isHolding]).toEqual([undefined, true])
    lab.fill.answerWith(stale)
    expect([lab.handler.passedOn, lab.client.body]).toEqual([undefined, 'stale'])
  })

  test('an error after the head is passed on', () => {
    const { lab } = failing()
    lab.handler.head(SHAREABLE)
    lab.handler.error(new Error('late'))
    expect(lab.handler.passedOn).toEqual(new Error('late'))
  })

  test('an error that a stale response cannot replace any more is passed on', () => {
    const { lab } = failing(1_000)
    lab.handler.error(new Error('next(error)'))
    expect([lab.handler.passedOn, lab.handler.isOff]).toEqual([new Error('next(error)'), true])
  })

  test('the handler’s own answer goes out after all, with what was held back', () => {
    const { lab } = failing()
    lab.handler.head(PRIVATE, 503)
    lab.handler.chunk('bro')
    lab.fill.giveHandlersAnswer()
    lab.handler.end('ken')
    expect([lab.client.status, lab.client.body, lab.client.state]).toEqual([503, 'broken', 'ended'])
    expect(lab.client.fields['cache-status']).toBe('herdlock; fwd=stale; fwd-status=503')
    expect(lab.handler.restores).toBe(1)
  })

  test('the handler’s error is passed on after all', () => {
    const { lab } = failing()
    lab.handler.error(new Error('next(error)'))
    lab.fill.giveHandlersAnswer()
    expect(lab.handler.passedOn).toEqual(new Error('next(error)'))
  })

  test('what is held back never grows above maxBodyBytes', () => {
    const { lab, stale } = failing()
    lab.handler.head({}, 503)
    lab.handler.chunk(TOO_LONG)
    lab.fill.answerWith(stale)
    lab.handler.end('!')
    expect([lab.client.status, lab.client.body, lab.client.state]).toEqual([503, `${TOO_LONG}!`, 'ended'])
  })

  test('one who asks conditionally gets the stale response as asked', () => {
    const { lab, stale } = failing(7_200_000, { request: { headers: { 'if-none-match': '"old"' } } })
    lab.handler.head({}, 503)
    lab.fill.answerWith(stale)
    expect([lab.client.status, lab.client.body]).toEqual([304, ''])
  })

  test('a run for nobody fails, and its answer is nobody’s', async () => {
    const { lab, stale } = failing(7_200_000, { hasClient: false })
    lab.handler.head({}, 503)
    expect(await failure(lab)).toBeInstanceOf(FillFailedError)
    lab.fill.answerWith(stale)
    lab.handler.end('broken')
    expect([lab.leader.edge.client.state, lab.client.body, lab.told]).toEqual(['waiting', 'broken', []])
    expect([lab.handler.isOff, lab.handler.restores]).toEqual([true, 1])
  })

  test('a run for nobody fails too while the stale response may be sent anyway', async () => {
    const clock = new FakeClock()
    const lifetime = { age: 0, freshness: 60_000, staleWhileRevalidate: 7_200_000, staleIfError: 0 }
    const stale = storedResponse(clock, { lifetime })
    const standIn = beginFill({ clock, stale, hasClient: false })
    standIn.handler.head(PRIVATE, 503)
    expect(await failure(standIn)).toBeInstanceOf(FillFailedError)
    expect(standIn.told).toEqual([])
    const withClient = beginFill({ clock, stale })
    withClient.handler.head(PRIVATE, 503)
    expect(withClient.told).toEqual(['onUnshared(false)'])
  })

  test('an error of a run for nobody fails it', async () => {
    const { lab } = failing(7_200_000, { hasClient: false })
    lab.handler.error(new Error('next(error)'))
    expect(await failure(lab)).toEqual(new Error('next(error)'))
    expect(lab.handler.passedOn).toEqual(new Error('next(error)'))
  })
})

describe('a 304', () => {
  function validating(update: Record<string, string>, given: Parameters<typeof beginFill>[0] = {}) {
    const clock = new FakeClock()
    const stale = storedResponse(clock)
    const lab = beginFill({ clock, stale, ...given })
    lab.handler.head(update, 304)
    expect([lab.client.state, lab.handler.decision]).toEqual(['waiting', 'hold'])
    lab.handler.end()
    return { lab, stale }
  }

  test('gives what is stored new fields and a new life; the client gets it whole', async () => {
    const { lab } = validating({ ETag: '"old"', 'Cache-Control': 'max-age=30', 'X-New': '1' })
    const response = await yielded(lab)
    expect(response).toMatchObject({
      status: 200,
      respondedAt: lab.clock.wallNow(),
      lifetime: { age: 0, freshness: 30_000 },
    })
    expect([String(response?.body), response?.get('x-new'), response?.etag]).toEqual(['stale', '1', '"old"'])
    expect([lab.client.status, lab.client.body, lab.client.state]).toEqual([200, 'stale', 'ended'])
    expect(lab.client.fields).toMatchObject({
      'x-new': '1',
      'cache-status': 'herdlock; fwd=stale; fwd-status=304; stored',
    })
    expect([lab.fill.disownsStored, lab.told, lab.keptFor[0]?.tags]).toEqual([false, [], []])
    expect(lab.fill.verdict?.share).toBe(true)
  })

  test('is not what its client gets, unless that has asked for one', () => {
    const { lab } = validating({ ETag: '"old"' }, { request: { headers: { 'if-none-match': '"old"' } } })
    expect([lab.client.status, lab.client.body]).toEqual([304, ''])
  })

  test('frees those who wait where each reuse must be validated', async () => {
    const { lab } = validating({ ETag: '"old"', 'Cache-Control': 'no-cache' })
    expect(lab.told).toEqual(['doNotShare', 'onUnshared(false)'])
    expect(await yielded(lab)).toMatchObject({ mustValidate: true })
  })

  test('about another response disowns the stored one, which goes to this client a last time', async () => {
    const { lab } = validating({ ETag: '"other"' })
    expect(lab.fill.disownsStored).toBe(true)
    expect(lab.told).toEqual(['doNotShare', 'onUnshared(false)'])
    expect(await yielded(lab)).toBeUndefined()
    expect(lab.client).toMatchObject({ status: 200, body: 'stale' })
    expect(lab.client.fields['cache-status']).toBe('herdlock; fwd=stale; fwd-status=304; detail=other-validator')
  })

  test('that is not for others any more is for its client alone', async () => {
    const { lab } = validating({ 'Cache-Control': 'private' })
    expect([lab.told, lab.fill.disownsStored]).toEqual([['doNotShare', 'onUnshared(true)'], false])
    expect(await yielded(lab)).toBeUndefined()
    expect(lab.client).toMatchObject({ status: 200, body: 'stale' })
    expect(lab.client.fields['cache-status']).toContain('detail=private')
  })

  test('keeps what it withholds from the store, not from its client', async () => {
    const { lab } = validating({ 'Cache-Control': 'max-age=60, private="X-User"', 'X-User': 'me' })
    expect((await yielded(lab))?.get('x-user')).toBeUndefined()
    expect(lab.client.fields['x-user']).toBe('me')
  })

  test('freshens for a run for nobody too, whose response ends with it', async () => {
    const clock = new FakeClock()
    const lab = beginFill({ clock, stale: storedResponse(clock), hasClient: false })
    lab.handler.head({ 'Cache-Control': 'max-age=30' }, 304)
    lab.handler.end()
    expect(String((await yielded(lab))?.body)).toBe('stale')
    expect([lab.client.status, lab.client.state]).toEqual([304, 'ended'])
  })

  test('whose layers outside say that it is not for others is not', async () => {
    const { lab } = validating({ 'Cache-Control': 'max-age=30' }, { outerFields: ['Set-Cookie', 'a=b'] })
    expect(lab.told).toEqual(['doNotShare', 'onUnshared(true)'])
    expect(await yielded(lab)).toBeUndefined()
    expect(lab.client).toMatchObject({ status: 200, body: 'stale' })
  })

  test('cannot be followed: its answer is known at its end', () => {
    const clock = new FakeClock()
    const lab = beginFill({ clock, stale: storedResponse(clock) })
    lab.handler.head({}, 304)
    expect(lab.follow().followed).toBe(false)
  })

  test('that is cut off fails', async () => {
    const clock = new FakeClock()
    const lab = beginFill({ clock, stale: storedResponse(clock) })
    lab.handler.head({}, 304)
    lab.handler.cut()
    expect(await failure(lab)).toBeInstanceOf(FillFailedError)
  })
})

describe('a run whose own client asks for less than all', () => {
  const PART = { headers: { range: 'bytes=1-2' } }
  const SAME = { headers: { 'if-none-match': '"1"' } }

  test.each([
    ['a part', PART, 206, '12'],
    ['a 304', SAME, 304, ''],
    ['all after all', { headers: { 'if-none-match': '"2"' } }, 200, '0123'],
  ])('is held, and answered from the whole: %s', async (_name, request, status, body) => {
    const lab = beginFill({ request })
    lab.handler.head({ ...SHAREABLE, ETag: '"1"' })
    const { client } = lab.follow()
    lab.handler.chunk('01')
    expect([client.body, lab.client.state]).toEqual(['01', 'waiting'])
    lab.handler.end('23')
    expect([lab.client.status, lab.client.body, lab.client.state]).toEqual([status, body, 'ended'])
    expect(lab.client.fields['cache-status']).toBe('herdlock; fwd=uri-miss; fwd-status=200; stored')
    expect([client.body, client.state]).toEqual(['0123', 'ended'])
    expect(String((await yielded(lab))?.body)).toBe('0123')
  })

  test('shares at the end only, where layers outside have a say', async () => {
    const lab = beginFill({ request: PART, outerFields: ['X-Outer', '1'] })
    lab.handler.head(SHAREABLE)
    expect([lab.told, lab.follow().followed]).toEqual([[], false])
    lab.handler.end('0123')
    expect([lab.client.status, lab.client.body]).toEqual([206, '12'])
    expect(await yielded(lab)).toBeDefined()
  })

  test('shares nothing, where layers outside refuse at the end', async () => {
    const lab = beginFill({ request: PART, outerFields: ['Set-Cookie', 'a=b'] })
    lab.handler.head(SHAREABLE)
    lab.handler.end('0123')
    expect(lab.told).toEqual(['doNotShare', 'onUnshared(true)'])
    expect(await yielded(lab)).toBeUndefined()
    expect([lab.client.status, lab.client.body]).toEqual([206, '12'])
  })

  test.each([
    ['a body too large', (lab: FillLab) => lab.handler.chunk(TOO_LONG)],
    ['a body that breaks off', (lab: FillLab) => lab.handler.error(new Error('late'))],
    ['a fill out of time', (lab: FillLab) => lab.abort(new LoadTimeoutError('k', LOAD_TIMEOUT))],
  ])('gets the handler’s answer as it is, with Cache-Status: %s', (_name, happens) => {
    const lab = beginFill({ request: PART })
    lab.handler.head(SHAREABLE)
    lab.handler.chunk('01')
    happens(lab)
    lab.handler.end('.')
    expect(lab.client).toMatchObject({ status: 200, state: 'ended' })
    expect(lab.client.body.startsWith('01')).toBe(true)
    expect(lab.client.body.endsWith('.')).toBe(true)
    expect(lab.client.fields['cache-status']).toBe('herdlock; fwd=uri-miss; fwd-status=200')
  })

  test('gets the whole of a body too large as it comes, while others follow', () => {
    const lab = beginFill({ request: PART })
    lab.handler.head(SHAREABLE)
    const { client } = lab.follow()
    lab.handler.chunk('01')
    lab.handler.chunk(TOO_LONG)
    expect([lab.client.status, lab.client.body, client.body]).toEqual([200, `01${TOO_LONG}`, `01${TOO_LONG}`])
    lab.handler.end('.')
    expect([lab.client.state, client.state, client.body]).toEqual(['ended', 'ended', `01${TOO_LONG}.`])
  })

  test('gets the whole with a body shorter than it declares, with Cache-Status', () => {
    const lab = beginFill({ request: PART })
    lab.handler.head({ ...SHAREABLE, 'Content-Length': '5' })
    lab.handler.end('0123')
    expect(lab.client).toMatchObject({ status: 200, body: '0123', state: 'ended' })
    expect(lab.client.fields['cache-status']).toBe('herdlock; fwd=uri-miss; fwd-status=200')
  })

  test.each([
    ['a 304', SAME, { ...PRIVATE, ETag: '"1"' }, 304],
    ['a part', PART, { ...PRIVATE, 'Accept-Ranges': 'bytes', 'Content-Length': '4' }, 206],
    ['all, without Accept-Ranges', PART, { ...PRIVATE, 'Content-Length': '4' }, 200],
  ])('gets it of an answer that is its own: %s', (_name, request, fields, status) => {
    const lab = beginFill({ request })
    lab.handler.head(fields)
    expect(lab.client.status).toBe(status)
    expect(lab.client.fields['cache-status']).toContain('detail=private')
    expect(lab.told).toEqual(['doNotShare', 'onUnshared(true)'])
  })

  test('is not held for an error that may be shared', () => {
    const lab = beginFill({ request: { ...PART, policy: { ttl: 60_000 } } })
    lab.handler.head({}, 404)
    expect([lab.client.status, lab.told]).toEqual([404, ['onShare']])
  })
})

describe('what all fills may hold together', () => {
  const CHUNK = 'x'.repeat(8)

  test('is taken by the body as it grows', () => {
    const lab = beginFill()
    lab.handler.head(SHAREABLE)
    lab.handler.chunk(CHUNK)
    expect(lab.budget.left).toBe(ROOM - 8)
  })

  test('does not suffice: who has begun goes on, and the next answer may fare better', () => {
    const lab = beginFill({ roomTaken: ROOM - 9 })
    lab.handler.head(SHAREABLE)
    const { client } = lab.follow()
    lab.handler.chunk(CHUNK)
    lab.handler.chunk('12')
    expect(lab.told).toEqual(['onShare', 'doNotShare', 'onUnshared(false)'])
    expect(lab.budget.left).toBe(9)
    lab.handler.end()
    expect([client.body, client.state, lab.budget.left]).toEqual([`${CHUNK}12`, 'ended', 9])
  })

  test.each<[string, (lab: FillLab) => unknown]>([
    ['whole', ({ handler }) => handler.end()],
    ['too large', ({ handler }) => handler.chunk(TOO_LONG)],
    ['too large, to the end', ({ handler }) => (handler.chunk(TOO_LONG), handler.end())],
    ['cut', ({ handler }) => handler.cut()],
    ['with an error', ({ handler }) => handler.error(new Error('late'))],
    ['shorter than it declares', ({ handler }) => handler.end('1')],
    ['out of time', ({ abort }) => abort(new LoadTimeoutError('k', LOAD_TIMEOUT))],
    ['closed', ({ abort }) => abort(new ClosedError('cache'))],
    ['failed from outside', ({ fill }) => fill.fail(new Error('gone'))],
  ])('is given back by a fill that ends: %s', (name, end) => {
    for (const isFollowed of [true, false]) {
      const lab = beginFill()
      lab.handler.head(name.startsWith('shorter') ? { ...SHAREABLE, 'Content-Length': '10' } : SHAREABLE)
      if (isFollowed) lab.follow()
      lab.handler.chunk(CHUNK)
      expect(lab.budget.left).toBe(ROOM - 8)
      end(lab)
      expect(lab.budget.left).toBe(ROOM)
    }
  })

  test('is given back where layers outside refuse at the end', () => {
    const request = { headers: { range: 'bytes=0-1' } }
    const lab = beginFill({ request, outerFields: ['Set-Cookie', 'a=b'] })
    lab.handler.head(SHAREABLE)
    lab.handler.chunk(CHUNK)
    expect(lab.budget.left).toBe(ROOM - 8)
    lab.handler.end()
    expect(lab.budget.left).toBe(ROOM)
  })
})
