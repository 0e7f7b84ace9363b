import { describe, expect, test } from 'vitest'

import { FakeClock } from '../../../support/fake-clock.ts'
import { beginRun } from '../support/fetch-lab.ts'
import { storedResponse } from '../support/fill-lab.ts'

const settled = (): Promise<void> => new Promise(setImmediate)
const LARGE = 100 * 1024

/** A body that the test writes. */
function written() {
  let controller!: ReadableStreamDefaultController<Uint8Array | string>
  let isCancelled = false
  const body = new ReadableStream<Uint8Array | string>({
    start: (made) => void (controller = made),
    cancel: () => void (isCancelled = true),
  })
  return {
    response: new Response(body as ReadableStream<Uint8Array>, { headers: { 'Cache-Control': 'max-age=60' } }),
    write: (piece: Uint8Array | string) => controller.enqueue(piece),
    end: () => controller.close(),
    fail: (error: Error) => controller.error(error),
    isCancelled: () => isCancelled,
  }
}

describe('an answer that is sent', () => {
  test('goes to its client and to the observer, piece by piece', async () => {
    const body = written()
    const { run, client, told } = beginRun(() => body.response)
    run.setField('Cache-Status', 'mine')
    const response = await client.response
    body.write(Buffer.from('a '))
    body.write('page')
    body.end()
    expect([response.headers.get('cache-status'), await response.text()]).toEqual(['mine', 'a page'])
    expect(told.filter((each) => each !== 'drain')).toEqual(['head 200', 'sent', 'chunk a ', 'chunk page', 'end'])
    expect(run.headSent).toBe(true)
  })

  test('has no body for a HEAD, and the handler’s is not read', async () => {
    const body = written()
    const { client } = beginRun(() => body.response, { narrowing: { isHead: true } })
    expect((await client.response).body).toBeNull()
    expect(body.isCancelled()).toBe(true)
  })

  test('breaks off for its client and for others where the handler’s body does', async () => {
    const body = written()
    const { client, told } = beginRun(() => body.response)
    const response = await client.response
    body.write(Buffer.from('half'))
    await settled()
    body.fail(new Error('out of order'))
    await expect(response.text()).rejects.toThrow('out of order')
    expect(told.at(-1)).toBe('cut Error: out of order')
  })

  test('waits for a client that is full', async () => {
    const body = written()
    const { client, told } = beginRun(() => body.response)
    const response = await client.response
    body.write(Buffer.alloc(LARGE))
    body.write(Buffer.from('last'))
    body.end()
    await settled()
    expect(told).not.toContain('chunk last')
    expect((await response.arrayBuffer()).byteLength).toBe(LARGE + 4)
    expect(told).toContain('chunk last')
  })

  test('waits for others until it is resumed', async () => {
    const body = written()
    const { run, client, told } = beginRun(() => body.response, { mayGoOn: () => false })
    const text = (await client.response).text()
    body.write('first ')
    body.write('second')
    body.end()
    await settled()
    expect(told).not.toContain('chunk second')
    run.resume()
    await settled()
    expect(told).toContain('chunk second')
    run.resume()
    expect(await text).toBe('first second')
  })
})

describe('the handler', () => {
  test('is asked about what is stored, by what we understand', async () => {
    const stored = storedResponse(new FakeClock())
    const { client, terms } = beginRun(() => new Response('page'), { terms: { validate: stored, capability: 'a="b"' } })
    await client.response
    expect(terms()).toMatchObject({ validate: stored, capability: 'a="b"' })
  })

  test.each([
    ['throws', () => Promise.reject(new Error('out of order')), 'Error: out of order'],
    ['answers with nothing', () => undefined, 'TypeError: the handler must answer with a Response, received undefined'],
  ])('that %s is told of, and its client has the error if it is to', async (_name, handler, error) => {
    const passed = beginRun(handler)
    await expect(passed.client.response).rejects.toThrow(error.slice(error.indexOf(': ') + 2))
    expect(passed.told).toEqual([`error ${error}`])
    const kept = beginRun(handler, { passesErrors: false })
    await settled()
    expect(kept.client.isOver).toBe(false)
  })

  test('is stopped once nobody needs its answer', async () => {
    const body = written()
    const { run, client, left, terms } = beginRun(() => body.response)
    await client.response
    run.stop()
    expect(terms().signal.aborted).toBe(false)
    left.abort('gone')
    await settled()
    expect([terms().signal.reason, body.isCancelled()]).toEqual(['gone', true])
  })
})

describe('an answer that is held', () => {
  test('goes out when it is told to, with all that has come', async () => {
    const { run, client, told } = beginRun(() => new Response('page'), { decide: () => 'hold' })
    await settled()
    expect([client.isOver, run.isHolding, run.headSent]).toEqual([false, true, false])
    run.sendHeld()
    expect(await (await client.response).text()).toBe('page')
    expect(told).toEqual(['head 200', 'chunk page', 'end'])
  })

  test('gives way to a stored one, and the handler is told that nobody needs its own', async () => {
    const body = written()
    const { run, client, terms } = beginRun(() => body.response, { decide: () => 'hold' })
    await settled()
    const head = run.answerInstead(storedResponse(new FakeClock()), ['A', '1'])
    const response = await client.response
    expect([head.status, head.fields]).toEqual([200, ['A', '1', 'X-Outer', 'yes']])
    expect([response.headers.get('x-outer'), await response.text()]).toEqual(['yes', 'stale'])
    expect([terms().signal.aborted, body.isCancelled()]).toEqual([true, true])
  })

  test('is none where the handler has failed: only a stored one can take its place', async () => {
    const { run, client } = beginRun(() => Promise.reject(new Error('out of order')), { passesErrors: false })
    await settled()
    run.hold()
    run.sendHeld()
    expect([run.isHolding, client.isOver]).toEqual([true, false])
    run.answerInstead(storedResponse(new FakeClock()), [])
    expect(await (await client.response).text()).toBe('stale')
  })
})

describe('a client that asked for less of an answer that is its own', () => {
  const own = () => new Response('0123456789', { headers: { 'Content-Length': '10', ETag: '"1"' } })

  test('gets a part', async () => {
    const { client, told } = beginRun(own, { decide: () => ({ kind: 'part', start: 2, end: 4, size: 10 }) })
    const response = await client.response
    expect([response.status, response.headers.get('content-range'), await response.text()]).toEqual([
      ...[206, 'bytes 2-4/10', '234'],
    ])
    expect(told).not.toContain('end')
  })

  test('gets no body where it has it already', async () => {
    const { client } = beginRun(own, { decide: () => ({ kind: 'not-modified' }) })
    const { status, headers, body } = await client.response
    expect([status, headers.get('etag'), headers.get('content-length'), body]).toEqual([304, '"1"', null, null])
  })
})

describe('an answer that concerns nobody else', () => {
  test('is the handler’s own, body included', async () => {
    const body = written()
    const lab = beginRun(() => body.response, {
      decide: () => {
        lab.run.setField('Cache-Status', 'not shared')
        lab.run.stop()
        return 'send'
      },
    })
    const response = await lab.client.response
    expect([response.body, response.headers.get('cache-status')]).toEqual([body.response.body, 'not shared'])
  })

  test('goes nowhere in the background', async () => {
    const body = written()
    const lab = beginRun(() => body.response, {
      terms: { isStandIn: true },
      decide: () => {
        lab.run.stop()
        return 'send'
      },
    })
    await settled()
    expect(body.isCancelled()).toBe(true)
  })
})

describe('a client that leaves', () => {
  test('does not end a run that outlives it, which its host is handed', async () => {
    const body = written()
    const { run, client, left, told, waitUntil, terms } = beginRun(() => body.response)
    await client.response
    left.abort()
    body.write('page')
    body.end()
    await settled()
    expect(told.slice(-2)).toEqual(['chunk page', 'end'])
    expect([terms().signal.aborted, waitUntil.mock.calls.length]).toEqual([false, 1])
    const over = waitUntil.mock.calls[0]?.[0]
    run.restore()
    await over
  })

  test('ends one that does not', async () => {
    const { client, left, told, waitUntil } = beginRun(() => written().response, { terms: { outlivesClient: false } })
    await client.response
    left.abort('gone')
    await settled()
    expect([told.at(-1), waitUntil.mock.calls]).toEqual(['cut gone', []])
  })

  test('by reading no more, leaves too', async () => {
    const body = written()
    const { client, told } = beginRun(() => body.response)
    await (await client.response).body?.cancel()
    await settled()
    body.write(Buffer.alloc(LARGE))
    body.end()
    await settled()
    expect(told.slice(-2)).toEqual([`chunk ${LARGE}`, 'end'])
  })

  test('because it is too slow for others, is cut', async () => {
    const body = written()
    const { run, client } = beginRun(() => body.response)
    const text = (await client.response).text()
    run.dropClient()
    await expect(text).rejects.toThrow('the rest of this response will not come')
  })
})
