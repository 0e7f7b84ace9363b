import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { constants } from 'node:http2'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'

import { ask, open, readAll } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { serveHttp2 } from './support/http2.ts'
import { listen, refilled, serve } from './support/serve.ts'

/** Sends `text` as it is and reads until the server closes. */
async function raw(url: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk) => (answer += chunk.toString('latin1')))
  socket.write(text)
  await once(socket, 'close')
  return answer
}

/** What differs from one answer to the next for good reasons. */
function comparable(answer: string): string {
  const [head = '', ...rest] = answer.replaceAll(/^(Date|Cache-Status): .*\r\n/gim, '').split('\r\n\r\n')
  // The order of different fields means nothing: RFC 9110 section 5.3.
  return [
    head.split('\r\n').toSorted().join('\r\n'),
    ...rest.map((part) => part.split('\r\n').toSorted().join('\r\n')),
  ].join('\r\n\r\n')
}

describe('as without us', () => {
  const handlers: Record<string, (req: IncomingMessage, res: ServerResponse) => void> = {
    'a response that is ended twice': (_req, res) => {
      res.on('error', () => {})
      res.setHeader('Cache-Control', 'max-age=60')
      res.end('once')
      res.end('twice')
    },
    'a write after the end': (_req, res) => {
      res.on('error', () => {})
      res.setHeader('Cache-Control', 'max-age=60')
      res.end('page')
      res.write('more')
    },
    'header fields set too late': (_req, res) => {
      res.writeHead(200, { 'Cache-Control': 'max-age=60' })
      try {
        res.setHeader('X-Late', 'yes')
      } catch (error) {
        res.end((error as { code: string }).code)
      }
    },
    'a second writeHead': (_req, res) => {
      res.writeHead(200, { 'Cache-Control': 'max-age=60' })
      try {
        res.writeHead(404)
      } catch (error) {
        res.end((error as { code: string }).code)
      }
    },
    trailers: (_req, res) => {
      res.writeHead(200, { 'Cache-Control': 'max-age=60', Trailer: 'X-Checksum', 'Transfer-Encoding': 'chunked' })
      res.write('page')
      res.addTrailers({ 'X-Checksum': '42' })
      res.end()
    },
    'early hints': (_req, res) => {
      res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
      res.setHeader('Cache-Control', 'max-age=60')
      res.end('page')
    },
    'no content': (_req, res) => {
      res.writeHead(204, 'Nothing', [
        ['Cache-Control', 'max-age=60'],
        ['X-A', '1'],
      ] as never)
      res.end()
    },
    'a body without a length': (_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.write('one')
      res.write(Buffer.from('two'))
      res.write('74687265 65'.replace(' ', ''), 'hex', () => res.end())
    },
    'a header that is flushed early': (_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.flushHeaders()
      setImmediate(() => res.end('late'))
    },
  }

  test.each(Object.entries(handlers))('%s', async (_name, handler) => {
    const plain = await listen(createServer(handler))
    const { url } = await serve(handler)
    for (const version of ['1.1', '1.0']) {
      const request = `GET /${version} HTTP/${version}\r\nHost: a\r\nConnection: close\r\n\r\n`
      expect(comparable(await raw(url, request))).toBe(comparable(await raw(plain.url, request)))
    }
  })
})

test('pipelined requests are answered in order, each with its own', async () => {
  const gate = new Gate()
  const { url } = await serve(async (req, res) => {
    if (req.url === '/slow') await gate.pass()
    res.setHeader('Cache-Control', req.url === '/private' ? 'private' : 'max-age=60')
    res.end(`<${req.url}>`)
  })
  await ask(`${url}/stored`, { headers: { Host: 'a' } })
  const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
  const answers = raw(url, get('/slow') + get('/stored') + get('/private') + get('/slow', 'Connection: close\r\n'))
  await gate.reached
  gate.open()
  expect((await answers).match(/<[^>]*>/g)).toEqual(['</slow>', '</stored>', '</private>', '</slow>'])
})

test('HTTP/1.0 clients wait, follow and hit like others', async () => {
  const gate = new Gate()
  const { url } = await serve(async (_req, res) => {
    res.setHeader('Cache-Control', 'max-age=60')
    res.write('one ')
    await gate.pass()
    res.end('two')
  })
  const request = 'GET / HTTP/1.0\r\nHost: a\r\n\r\n'
  const answers = [raw(url, request), raw(url, request)]
  await gate.reached
  gate.open()
  for (const answer of await Promise.all(answers)) expect(answer).toMatch(/\r\n\r\none two$/)
  expect(await raw(url, request)).toMatch(/Cache-Status: herdlock; hit; ttl=\d+[^]*\r\n\r\none two$/)
})

describe('HTTP/2', () => {
  test('responses are shared, stored, and given in part', async () => {
    const warnings: string[] = []
    const note = (warning: Error) => warnings.push(warning.message)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    let runs = 0
    const gate = new Gate()
    const { get } = await serveHttp2(async (_req, res) => {
      runs++
      res.setHeader('Cache-Control', 'max-age=60')
      res.setHeader('ETag', '"1"')
      res.write('one ')
      await gate.pass()
      res.end('two')
    })
    const answers = [get(), get(), get()]
    await gate.reached
    gate.open()
    for (const { status, body } of await Promise.all(answers)) expect([status, body]).toEqual([200, 'one two'])
    const hit = await get()
    expect([hit.body, hit.headers['cache-status']]).toEqual(['one two', expect.stringContaining('hit')])
    expect(await get('/', { range: 'bytes=0-2' })).toMatchObject({ status: 206, body: 'one' })
    expect(await get('/', { 'if-none-match': '"1"' })).toMatchObject({ status: 304, body: '' })
    expect(runs).toBe(1)
    expect(await get('/first', { range: 'bytes=4-6' })).toMatchObject({ status: 206, body: 'two' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings).toEqual([])
  })

  test.each(['before the header', 'in the middle of the body', 'asking for a part'])(
    'the client of the leader leaves %s, twenty who wait get all of it',
    async (when) => {
      const gate = new Gate()
      const told: string[] = []
      let runs = 0
      const { begin, get, firstStreamGone } = await serveHttp2(async (req, res) => {
        runs++
        req.once('aborted', () => told.push('aborted'))
        for (const event of ['close', 'finish']) res.once(event, () => told.push(event))
        if (when !== 'before the header') res.writeHead(200, { 'Cache-Control': 'max-age=60', 'X-Run': runs })
        if (when === 'in the middle of the body') res.write('one ')
        await gate.pass()
        expect(told).toEqual([])
        if (when === 'before the header') {
          res.setHeader('X-Run', runs)
          res.setHeader('Cache-Control', 'max-age=60')
        }
        if (when !== 'in the middle of the body') res.write('one ')
        // More than a stream without a reader takes: whoever heeds that must be told to go on.
        await pipeline(Readable.from(Array.from({ length: 10 }, () => Buffer.alloc(16_384, 'x'))), res)
      })
      const leader = begin('/', when === 'asking for a part' ? { range: 'bytes=0-1' } : {})
      leader.on('error', () => {})
      await gate.reached
      const waiters = Array.from({ length: 20 }, () => get())

      leader.close(constants.NGHTTP2_CANCEL)
      await firstStreamGone
      gate.open()
      for (const { status, headers, body } of await Promise.all(waiters)) {
        expect([status, headers['x-run'], body.length]).toEqual([200, '1', 4 + 10 * 16_384])
      }
      expect((await get()).headers['cache-status']).toContain('hit')
      expect(runs).toBe(1)
      await expect.poll(() => told).toEqual(['finish', 'close'])
    },
  )

  test('stale responses are refilled in the background', async () => {
    let runs = 0
    const { get, clock, cache } = await serveHttp2((_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60, stale-while-revalidate=60')
      res.statusCode = 203
      res.end(`run ${++runs}`)
    })
    await get()
    clock.skip(61_000)
    const stored = refilled(cache)
    expect((await get()).body).toBe('run 1')
    await stored
    expect(await get()).toMatchObject({ status: 203, body: 'run 2' })
  })
})

test('server-sent events go through as they come, to each client its own', async () => {
  const gate = new Gate()
  let runs = 0
  const { url } = await serve(
    async (_req, res) => {
      res.setHeader('Content-Type', 'text/event-stream')
      res.write(`data: ${++runs}\n\n`)
      await gate.pass()
      res.end('data: end\n\n')
    },
    { ttl: 60_000 },
  )
  const first = await open(url).response
  const second = await open(url).response
  const firstEvent = async (response: IncomingMessage) => {
    const [event] = (await once(response, 'data')) as [Buffer]
    response.pause()
    return event.toString()
  }
  expect(await Promise.all([first, second].map(firstEvent))).toEqual(['data: 1\n\n', 'data: 2\n\n'])
  gate.open()
  expect((await readAll(first)).body).toBe('data: end\n\n')
  expect((await readAll(second)).body).toBe('data: end\n\n')
})

test('a server with WebSockets keeps them', async () => {
  const { server, url } = await serve((_req, res) => res.end('page'), { ttl: 60_000 })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) =>
    socket.on('message', (message) => socket.send(`echo ${(message as Buffer).toString()}`)),
  )
  const client = new WebSocket(url.replace('http', 'ws'))
  await once(client, 'open')
  client.send('hello')
  expect(String((await once(client, 'message'))[0])).toBe('echo hello')
  client.terminate()
  sockets.close()
  expect((await ask(url)).body).toBe('page')
})
