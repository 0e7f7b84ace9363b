import { once } from 'node:events'
import { type ClientHttp2Stream, constants } from 'node:http2'

import { describe, expect, test } from 'vitest'

import { Gate } from './support/gate.ts'
import { serveHttp2 } from './support/http2.ts'
import { type Layer, type PlainHandler, refilled } from './support/serve.ts'

const PUBLIC = 'public, max-age=60'
/** Looks into the store, and shows that those who asked before have come. */
const looks = { 'cache-control': 'only-if-cached' }

/** Far more than the windows of two streams take. */
const SIZE = 8 * 1024 * 1024
const PIECE = Buffer.alloc(64 * 1024, 'x')

function download(gate: Gate): PlainHandler {
  return async (_req, res) => {
    res.setHeader('Cache-Control', PUBLIC)
    res.write(PIECE)
    await gate.pass()
    for (let sent = PIECE.length; sent < SIZE; sent += PIECE.length) {
      if (!res.write(PIECE)) await once(res, 'drain')
    }
    res.end()
  }
}

/** A stream whose answer has begun. */
async function begun(stream: ClientHttp2Stream): Promise<ClientHttp2Stream> {
  await once(stream, 'response')
  return stream
}

/** Resolves when a stream is closed, with an error or without. */
function closing(stream: ClientHttp2Stream): Promise<void> {
  stream.on('error', () => {})
  return new Promise((resolve) => stream.once('close', resolve))
}

async function sizeOf(stream: ClientHttp2Stream): Promise<number | 'cut'> {
  let bytes = 0
  try {
    for await (const chunk of stream) bytes += (chunk as Buffer).length
  } catch {
    return 'cut'
  }
  return stream.rstCode === constants.NGHTTP2_NO_ERROR ? bytes : 'cut'
}

describe('HTTP/2 beside other layers', () => {
  test('a layer outside answers one who waits: the others get the page', async () => {
    const [gate, hurry] = [new Gate(), new Gate()]
    let runs = 0
    const outside: Layer = (req, res, next) => {
      if (req.headers['x-hurry'] !== undefined) {
        void hurry.pass().then(() => {
          res.statusCode = 503
          res.end('timed out')
        })
      }
      next()
    }
    const { get } = await serveHttp2(
      async (_req, res) => {
        runs++
        await gate.pass()
        res.setHeader('Cache-Control', PUBLIC)
        res.end('page')
      },
      {},
      outside,
    )
    const leader = get()
    await gate.reached
    const impatient = get('/', { 'x-hurry': '1' })
    const patient = [get(), get()]
    await hurry.reached
    hurry.open()
    expect(await impatient).toMatchObject({ status: 503, body: 'timed out' })
    await get('/', looks)
    gate.open()
    for (const { status, body } of await Promise.all([leader, ...patient]))
      expect([status, body]).toEqual([200, 'page'])
    expect(runs).toBe(1)
  })

  test('a patched end throws at one who waits: the others get the page', async () => {
    const gate = new Gate()
    const outside: Layer = (req, res, next) => {
      if (req.headers['x-broken'] !== undefined) {
        res.end = () => {
          throw new Error("the layer's own end is broken")
        }
      }
      next()
    }
    const { get, begin } = await serveHttp2(
      async (_req, res) => {
        await gate.pass()
        res.setHeader('Cache-Control', PUBLIC)
        res.end('page')
      },
      {},
      outside,
    )
    const leader = get()
    await gate.reached
    const broken = begin('/', { 'x-broken': '1' })
    const closed = closing(broken)
    const others = [get(), get()]
    await get('/', looks)
    gate.open()
    for (const { status, body } of await Promise.all([leader, ...others])) expect([status, body]).toEqual([200, 'page'])
    await closed
  })

  test('a field that a layer outside sets in its end arrives on misses, hits and private answers', async () => {
    let count = 0
    const outside: Layer = (_req, res, next) => {
      const { end } = res
      res.end = ((...args: unknown[]) => {
        res.end = end
        if (!res.headersSent) res.setHeader('X-Late', String(++count))
        return Reflect.apply(end, res, args)
      }) as never
      next()
    }
    const { get } = await serveHttp2(
      (req, res) => {
        res.setHeader('Cache-Control', req.url === '/private' ? 'private' : PUBLIC)
        res.end('page')
      },
      {},
      outside,
    )
    for (const late of ['1', '2', '3']) expect((await get()).headers['x-late']).toBe(late)
    for (const late of ['4', '5']) expect((await get('/private')).headers['x-late']).toBe(late)
  })

  test('a run in the background sees the connection that its request came from, and the end of its body', async () => {
    const { get, clock, cache } = await serveHttp2((req, res) => {
      req.on('end', () => {
        res.setHeader('Cache-Control', `${PUBLIC}, stale-while-revalidate=60`)
        res.end(`for ${req.socket.remoteAddress}`)
      })
      req.resume()
    })
    await get()
    clock.skip(61_000)
    const stored = refilled(cache)
    await get()
    await stored
    const hit = await get()
    expect([hit.body, hit.headers['cache-status']]).toEqual(['for 127.0.0.1', expect.stringMatching(/hit; ttl=[56]/)])
  })
})

describe('HTTP/2, a body above maxBodyBytes', () => {
  test('who stands still for a while gets all of it', async () => {
    const gate = new Gate()
    const { begin } = await serveHttp2(download(gate), { maxBodyBytes: 256 * 1024 })
    const leader = await begun(begin())
    const slow = await begun(begin())
    slow.pause()
    gate.open()
    const whole = sizeOf(leader)
    await new Promise((resolve) => setTimeout(resolve, 200)) // it stands still
    expect(await sizeOf(slow)).toBe(SIZE)
    expect(await whole).toBe(SIZE)
  })

  test.each(['a follower', 'the client of the leader'])(
    '%s that takes nothing for stallTimeout is cut, alone',
    async (who) => {
      const gate = new Gate()
      const { begin } = await serveHttp2(download(gate), { maxBodyBytes: 256 * 1024, stallTimeout: 300 })
      const first = await begun(begin())
      const second = await begun(begin())
      const [stalled, reading] = who === 'a follower' ? [second, first] : [first, second]
      stalled.pause()
      const closed = closing(stalled)
      gate.open()
      expect(await sizeOf(reading)).toBe(SIZE)
      stalled.resume()
      await closed
      expect(stalled.rstCode).not.toBe(constants.NGHTTP2_NO_ERROR)
    },
  )
})
