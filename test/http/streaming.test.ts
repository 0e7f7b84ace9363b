import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'

import { ask, open, readAll } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { type PlainHandler, refilled, serve } from './support/serve.ts'

async function firstChunk(response: IncomingMessage): Promise<string> {
  const next = once(response, 'data')
  response.resume()
  const [chunk] = (await next) as [Buffer]
  response.pause()
  return chunk.toString()
}

describe('while a handler writes', () => {
  test('those who wait get its header and every piece as it comes', async () => {
    const gates = [new Gate(), new Gate()] as const
    const { url } = await serve(async (_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.write('one, ')
      await gates[0].pass()
      res.write('two, ')
      await gates[1].pass()
      res.end('three')
    })
    const leader = open(url)
    const early = await leader.response
    const waiters = await Promise.all([open(url).response, open(url).response])
    expect(await Promise.all([early, ...waiters].map(firstChunk))).toEqual(['one, ', 'one, ', 'one, '])
    gates[0].open()
    expect(await Promise.all([early, ...waiters].map(firstChunk))).toEqual(['two, ', 'two, ', 'two, '])
    const late = await open(url).response
    expect(late.headers['cache-status']).toContain('collapsed')
    gates[1].open()
    const rest = await Promise.all([...waiters, late].map(readAll))
    expect(rest.map(({ body, complete }) => [body, complete])).toEqual([
      ['three', true],
      ['three', true],
      ['one, two, three', true],
    ])
  })

  test('twenty who wait get all of it although the client of the leader leaves', async () => {
    let runs = 0
    const gate = new Gate()
    const { url, cache } = await serve(async (_req, res) => {
      runs++
      res.setHeader('Cache-Control', 'max-age=60')
      res.write('begin, ')
      await gate.pass()
      res.end('end')
    })
    const leader = open(url)
    await leader.response
    const waiters = Array.from({ length: 20 }, () => ask(url))
    const stored = refilled(cache)
    leader.leave()
    gate.open()
    const answers = await Promise.all(waiters)
    await stored
    expect(answers.every(({ body, complete }) => body === 'begin, end' && complete)).toBe(true)
    expect(runs).toBe(1)
  })

  test('twenty who wait for the header get all of it although the client of the leader has left', async () => {
    let runs = 0
    const gate = new Gate()
    const { url } = await serve(async (_req, res) => {
      runs++
      await gate.pass()
      res.setHeader('Cache-Control', 'max-age=60')
      res.end('page')
    })
    const leader = open(url)
    await gate.reached
    const waiters = Array.from({ length: 20 }, () => open(url))
    // The last one is here when an answer that needs no handler has come on a connection opened later.
    await ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })
    leader.leave()
    await ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })
    gate.open()
    const answers = await Promise.all(waiters.map(async ({ response }) => readAll(await response)))
    expect(answers.every(({ body, complete }) => body === 'page' && complete)).toBe(true)
    expect(runs).toBe(1)
  })

  test('a slow client of the leader does not hold up those who wait', async () => {
    // More than the buffers of two sockets take.
    const size = 24 * 1024 * 1024
    const handler: PlainHandler = async (_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      for (let sent = 0; sent < size; sent += 64 * 1024) {
        if (!res.write(Buffer.alloc(64 * 1024, 'x'))) await once(res, 'drain')
      }
      res.end()
    }
    const { url } = await serve(handler, { maxBodyBytes: 2 * size })
    const slow = await open(url).response
    slow.pause()
    const quick = await ask(url)
    expect([quick.bytes.length, quick.complete]).toEqual([size, true])
    expect((await readAll(slow)).bytes.length).toBe(size)
  })

  test('a slow client that was sent a stale response does not hold up the refill', async () => {
    const size = 24 * 1024 * 1024
    let runs = 0
    const handler: PlainHandler = (_req, res) => {
      runs++
      res.setHeader('Cache-Control', 'max-age=60, stale-while-revalidate=60')
      res.end(Buffer.alloc(size, 'x'))
    }
    const { url, cache, clock } = await serve(handler, { maxBodyBytes: 2 * size }, 'node:http')
    await ask(url)
    clock.skip(61_000)
    const slow = await open(url).response
    slow.pause()
    expect(runs).toBe(1)
    const stored = refilled(cache)
    expect((await ask(url)).headers['cache-status']).toMatch(/hit; ttl=-/)
    await stored
    expect(runs).toBe(2)
    slow.destroy()
  })

  test('those who have begun see that it breaks off, those who have not ask again', async () => {
    let runs = 0
    const gate = new Gate()
    const { url } = await serve(async (_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      if (++runs > 1) return res.end('whole')
      res.write('half')
      await gate.pass()
      return res.destroy()
    })
    const leader = await open(url).response
    const begun = await open(url).response
    const unbegun = open(url, { headers: { Range: 'bytes=0-1' } })
    await ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })
    gate.open()
    expect((await readAll(leader)).complete).toBe(false)
    expect((await readAll(begun)).complete).toBe(false)
    const answer = await readAll(await unbegun.response)
    expect([answer.status, answer.body]).toEqual([206, 'wh'])
    expect((await ask(url)).body).toBe('whole')
    expect(runs).toBe(2)
  })

  test('a body above maxBodyBytes streams on to all who have begun, is not stored, and is not waited for again', async () => {
    let runs = 0
    const gate = new Gate()
    const piece = 'x'.repeat(600)
    const { url } = await serve(
      async (_req, res) => {
        runs++
        res.setHeader('Cache-Control', 'max-age=60')
        res.write(piece)
        if (runs === 1) await gate.pass()
        res.write(piece)
        res.end(piece)
      },
      { maxBodyBytes: 1000 },
    )
    const leader = await open(url).response
    const begun = await open(url).response
    const unbegun = open(url, { headers: { Range: 'bytes=0-1' } })
    await ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })
    gate.open()
    expect((await readAll(leader)).body).toBe(piece.repeat(3))
    expect((await readAll(begun)).body).toBe(piece.repeat(3))
    expect((await readAll(await unbegun.response)).body).toBe(piece.repeat(3))
    expect((await ask(url)).headers['cache-status']).not.toContain('hit')
    expect(runs).toBe(3)
  })

  test('a body that announces more than maxBodyBytes is never shared', async () => {
    let runs = 0
    const { url } = await serve(
      (_req, res) => {
        runs++
        res.setHeader('Cache-Control', 'max-age=60')
        res.end('x'.repeat(2000))
      },
      { maxBodyBytes: 1000 },
    )
    expect((await ask(url)).headers['cache-status']).toContain('detail=too-large')
    await ask(url)
    expect(runs).toBe(2)
  })

  test('a handler that never ends is given up after loadTimeout, and another one is tried', async () => {
    let runs = 0
    const { url } = await serve(
      (_req, res) => {
        if (++runs === 1) return
        res.setHeader('Cache-Control', 'max-age=60')
        res.end('page')
      },
      { cacheOptions: { loadTimeout: 200 } },
    )
    const hung = open(url)
    const waiters = Array.from({ length: 10 }, () => ask(url))
    expect((await Promise.all(waiters)).map(({ body }) => body)).toEqual(Array(10).fill('page'))
    expect(runs).toBe(2)
    hung.leave()
  })
})
