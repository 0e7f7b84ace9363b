import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { gunzipSync } from 'node:zlib'

import compression from 'compression'
import { describe, expect, test } from 'vitest'

import { ask, open, readAll } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { type Layer, MOUNTS, NODE_MOUNTS, type PlainHandler, serve } from './support/serve.ts'

/** More than the buffers of two sockets take. */
const SIZE = 24 * 1024 * 1024
const PIECE = Buffer.alloc(64 * 1024, 'x')

/** Writes a body above maxBodyBytes as fast as it is taken, and tells how much that was. */
function download(gate = new Gate()) {
  const seen = { runs: 0, written: 0 }
  const handler: PlainHandler = async (_req, res) => {
    seen.runs++
    res.setHeader('Cache-Control', 'public, max-age=60')
    res.write(PIECE)
    await gate.pass()
    for (let sent = PIECE.length; sent < SIZE; sent += PIECE.length) {
      seen.written = sent
      if (!res.write(PIECE)) await once(res, 'drain')
    }
    res.end()
  }
  return { gate, seen, handler }
}

/** Resolves with whether the answer came whole, and how much of it. */
async function sizeOf(response: IncomingMessage): Promise<{ bytes: number; complete: boolean }> {
  let bytes = 0
  try {
    for await (const chunk of response) bytes += (chunk as Buffer).length
  } catch {
    // Cut off: `complete` tells.
  }
  return { bytes, complete: response.complete }
}

/** A client that has begun to read, and stands still. */
async function standing(url: string, headers?: Record<string, string>): Promise<IncomingMessage> {
  const response = await open(url, headers === undefined ? {} : { headers }).response
  response.pause()
  return response
}

describe.each(MOUNTS)('a body above maxBodyBytes, %s', (mount) => {
  test('a follower that stands still for a while gets all of it, and the handler waits for it', async () => {
    const { gate, seen, handler } = download()
    const { url } = await serve(handler, { maxBodyBytes: 256 * 1024 }, mount)
    const leader = open(url).response.then(sizeOf)
    await gate.reached
    const slow = await standing(url)
    gate.open()
    let before = -1
    // It stands still: the handler comes to a stop long before the end.
    await expect
      .poll(
        () => {
          const isStill = seen.written === before
          before = seen.written
          return isStill
        },
        { interval: 200 },
      )
      .toBe(true)
    expect(seen.written).toBeLessThan(SIZE - PIECE.length)
    expect(await sizeOf(slow)).toEqual({ bytes: SIZE, complete: true })
    expect(await leader).toEqual({ bytes: SIZE, complete: true })
    expect(seen.runs).toBe(1)
  })

  test.each(['a follower', 'the client of the leader'])(
    '%s that takes nothing for stallTimeout is cut, alone',
    async (who) => {
      const { gate, handler } = download()
      const { url } = await serve(handler, { maxBodyBytes: 256 * 1024, stallTimeout: 300 }, mount)
      const first = await standing(url)
      const second = await standing(url)
      const [stalled, reading] = who === 'a follower' ? [second, first] : [first, second]
      gate.open()
      expect(await sizeOf(reading)).toEqual({ bytes: SIZE, complete: true })
      const got = await sizeOf(stalled)
      expect(got.complete).toBe(false)
      expect(got.bytes).toBeLessThan(SIZE)
    },
  )
})

test.each(NODE_MOUNTS)('with compression outside, all who read get all of it, %s', async (mount) => {
  const { gate, handler } = download()
  const typed: PlainHandler = (req, res) => {
    res.setHeader('Content-Type', 'text/plain')
    return handler(req, res)
  }
  const layer = compression() as unknown as Layer
  const { url } = await serve(typed, { maxBodyBytes: 256 * 1024 }, mount, layer)
  const gzip = { 'Accept-Encoding': 'gzip' }
  const leader = open(url, { headers: gzip }).response.then(readAll)
  await gate.reached
  const follower = open(url, { headers: gzip }).response.then(readAll)
  const plain = open(url).response.then(readAll)
  await ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })
  gate.open()
  for (const { bytes, headers } of await Promise.all([leader, follower])) {
    expect(headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(bytes).length).toBe(SIZE)
  }
  expect((await plain).bytes.length).toBe(SIZE)
})

describe.each(MOUNTS)('a handler that stops in the middle, %s', (mount) => {
  test('those who follow are let go after loadTimeout without a byte, and the next one is served', async () => {
    let runs = 0
    const { url } = await serve(
      (_req, res) => {
        res.setHeader('Cache-Control', 'public, max-age=60')
        if (++runs === 1) res.write('half ')
        else res.end('whole page')
      },
      { cacheOptions: { loadTimeout: 200 } },
      mount,
    )
    const leader = open(url)
    const hung = await leader.response
    const followers = await Promise.all([open(url).response, open(url).response])
    for (const { body, complete } of await Promise.all(followers.map(readAll))) {
      expect([body, complete]).toEqual(['half ', false])
    }
    expect((await ask(url)).body).toBe('whole page')
    // Its own client waits on, as it would without us.
    expect(hung.destroyed).toBe(false)
    leader.leave()
  })

  test('one that writes now and then is not stopped', async () => {
    const gates = Array.from({ length: 4 }, () => new Gate())
    const { url, clock } = await serve(
      async (_req, res) => {
        res.setHeader('Cache-Control', 'public, max-age=60')
        for (const gate of gates) {
          res.write('piece ')
          await gate.pass()
        }
        res.end('end')
      },
      { cacheOptions: { loadTimeout: 400 } },
      mount,
    )
    void clock
    const leader = ask(url)
    await gates[0]?.reached
    const follower = ask(url)
    for (const gate of gates) {
      await gate.reached
      await new Promise((resolve) => setTimeout(resolve, 200))
      gate.open()
    }
    for (const { body, complete } of await Promise.all([leader, follower])) {
      expect([body, complete]).toEqual(['piece '.repeat(4) + 'end', true])
    }
  })
})

describe('maxFillBytes', () => {
  test('answers beyond it go to their own clients, and are shared again when there is room', async () => {
    const gate = new Gate()
    let runs = 0
    const { url } = await serve(
      async (req, res) => {
        runs++
        res.setHeader('Cache-Control', 'public, max-age=60')
        res.write('x'.repeat(600))
        if (req.url !== '/later') await gate.pass()
        res.end('end')
      },
      { maxFillBytes: 1000 },
    )
    const first = open(`${url}/first`)
    await first.response
    const second = await open(`${url}/second`).response
    expect(runs).toBe(2)
    gate.open()
    expect((await readAll(second)).body).toBe(`${'x'.repeat(600)}end`)
    expect((await readAll(await first.response)).body).toBe(`${'x'.repeat(600)}end`)
    const status = async (path: string) => String((await ask(url + path)).headers['cache-status'])
    expect(await status('/first')).toContain('hit')
    expect(await status('/second')).not.toContain('hit')
    await ask(`${url}/later`)
    expect(await status('/later')).toContain('hit')
  })
})
