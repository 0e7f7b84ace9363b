import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'

import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ask, open, readAll } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { listen, makeFlight, type PlainHandler, serve, type ServeOptions } from './support/serve.ts'

/** Serves a handler behind a layer that throws when the answer to a request with X-Throw ends. */
async function serveBehindThrower(handler: PlainHandler, options: ServeOptions = {}) {
  const made = makeFlight(options)
  const listener: RequestListener = (req, res) => {
    const { end } = res
    res.end = function (this: ServerResponse, ...args: unknown[]) {
      if (req.headers['x-throw'] !== undefined) throw new Error('a layer outside')
      return Reflect.apply(end, res, args) as ServerResponse
    }
    made.flight(req, res, () => handler(req, res))
  }
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  onTestFinished(() => warned.mockRestore())
  return { ...made, ...(await listen(createServer(listener))), warned }
}

const THROWS = { 'X-Throw': '1' }

test.each([
  ['a stale response in place of a failure', {}],
  ['a stale response in place of a failure, as asked', { 'If-None-Match': '"1"' }],
])('a layer outside throws at %s: those who wait have it all the same', async (_name, headers) => {
  const gates = [new Gate(), new Gate()]
  let runs = 0
  const { url, clock, warned } = await serveBehindThrower(async (_req, res) => {
    if (runs++ === 0) {
      res.writeHead(200, { 'Cache-Control': 'max-age=60, stale-if-error=600', ETag: '"1"' }).end('good')
      return
    }
    await gates[0]?.pass()
    res.writeHead(503).end('broken')
  })
  await ask(url)
  clock.skip(61_000)
  const first = ask(url, { headers: { ...headers, ...THROWS } })
  await gates[0]?.reached
  const others = [ask(url), ask(url)]
  gates[0]?.open()
  await expect(first).rejects.toThrow()
  expect((await Promise.all(others)).map(({ body }) => body)).toEqual(['good', 'good'])
  expect(warned).toHaveBeenCalledWith(new Error('a layer outside'))
})

test('a layer outside throws at the part that the first one asked for: those who wait have the whole', async () => {
  const gate = new Gate()
  let runs = 0
  const { url } = await serveBehindThrower(async (_req, res) => {
    runs++
    await gate.pass()
    res.setHeader('Cache-Control', 'max-age=60').end('whole')
  })
  const first = ask(url, { headers: { Range: 'bytes=0-1', ...THROWS } })
  await gate.reached
  const others = [ask(url), ask(url)]
  gate.open()
  await expect(first).rejects.toThrow()
  expect((await Promise.all(others)).map(({ body }) => body)).toEqual(['whole', 'whole'])
  expect(runs).toBe(1)
})

test('a handler throws once it is released: the others run theirs, and it ends the process as it would anyway', async () => {
  const gate = new Gate()
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  onTestFinished(() => listeners.forEach((listener) => process.on('uncaughtException', listener)))
  const uncaught = new Promise<unknown>((resolve) => process.once('uncaughtException', resolve))
  const { flight } = makeFlight()
  const answerAlone = (res: ServerResponse): unknown => res.setHeader('Cache-Control', 'private').end('mine')
  let runs = 0
  const { url } = await listen(
    createServer((req, res) =>
      flight(req, res, () => {
        if (++runs === 1) void gate.pass().then(() => answerAlone(res))
        else if (req.headers['x-throw'] === undefined) answerAlone(res)
        else {
          res.socket?.destroy()
          throw new Error('of the handler')
        }
      }),
    ),
  )
  const first = ask(url)
  await gate.reached
  const throwing = ask(url, { headers: THROWS })
  const others = [ask(url), ask(url)]
  await expect.poll(() => flight.cache.stats().coalesced).toBe(3)
  gate.open()
  await expect(throwing).rejects.toThrow()
  expect((await Promise.all([first, ...others])).map(({ body }) => body)).toEqual(['mine', 'mine', 'mine'])
  expect(await uncaught).toEqual(new Error('of the handler'))
})

test('a HEAD follows a GET although the server takes a body for it as an error', async () => {
  const gate = new Gate()
  const { flight } = makeFlight()
  const server = createServer({ rejectNonStandardBodyWrites: true }, (req, res) =>
    flight(req, res, () => {
      res.setHeader('Cache-Control', 'max-age=60').write('one ')
      void gate.pass().then(() => res.end('two'))
    }),
  )
  const { url } = await listen(server)
  const whole = ask(url)
  await gate.reached
  const head = await ask(url, { method: 'HEAD' })
  gate.open()
  expect([head.status, head.body, (await whole).body]).toEqual([200, '', 'one two'])
})

const PIECE = Buffer.alloc(2 ** 20, 'x')
/** More than the buffers of two sockets take. */
const PIECES = 24

async function* pieces(): AsyncIterable<Buffer> {
  for (let sent = 0; sent < PIECES; sent++) yield await Promise.resolve(PIECE)
}

async function writeAll(res: ServerResponse): Promise<void> {
  for (let sent = 0; sent < PIECES; sent++) if (!res.write(PIECE)) await once(res, 'drain')
  res.end()
}

/** Whether nothing has come since the last look. */
function stillness(): (received: number) => boolean {
  let before = 0
  return (received) => {
    const isStuck = received > PIECE.length && received === before
    before = received
    return isStuck
  }
}

describe('the client of a run stops reading a body that is too large to keep', () => {
  test.each([
    ['stays: it is cut', 'drain', 100],
    ['leaves', 'drain', 30_000],
    ['leaves', 'pipeline', 30_000],
  ] as const)('and %s; those who follow have all of it, by %s', async (what, how, stallTimeout) => {
    const gate = new Gate()
    const { url } = await serve(
      async (_req, res) => {
        res.setHeader('Cache-Control', 'max-age=60').write('first ')
        await gate.pass()
        await (how === 'drain' ? writeAll(res) : pipeline(pieces(), res))
      },
      { maxBodyBytes: 1000, stallTimeout },
    )
    const first = open(url)
    const answer = await first.response
    answer.on('error', () => {}) // it breaks off before it is read
    await gate.reached
    const follower = await open(url).response
    const isStuck = stillness()
    let received = 0
    follower.on('data', (chunk: Buffer) => (received += chunk.length))
    const ended = once(follower, 'end')
    gate.open()
    await expect.poll(() => what !== 'leaves' || isStuck(received)).toBe(true)
    if (what === 'leaves') first.leave()
    await ended
    expect([follower.complete, received]).toEqual([true, PIECES * PIECE.length + 6])
    expect((await readAll(answer)).complete).toBe(false)
  })
})
