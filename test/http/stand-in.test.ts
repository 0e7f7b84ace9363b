import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

import express, { type Request } from 'express'
import inject from 'light-my-request'
import { generate } from 'selfsigned'
import { describe, expect, onTestFinished, test } from 'vitest'

import { ask, open } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { makeFlight, NODE_MOUNTS, type PlainHandler, refilled, serve } from './support/serve.ts'

const SWR = 'max-age=60, stale-while-revalidate=600'

/** What a handler sees of the connection. */
function peerOf({ socket }: IncomingMessage): string {
  const { remoteAddress, remoteFamily, localAddress, localPort, tenant } = socket as Socket & { tenant?: string }
  return [remoteAddress, remoteFamily, localAddress, localPort, tenant].join(' ')
}

describe.each(NODE_MOUNTS)('%s: a run', (mount) => {
  /** Closes each connection at its end, as proxies do. */
  const close = { headers: { Connection: 'close' } }

  test('in the background sees the connection that its request came from', async () => {
    const { url, server, clock, cache } = await serve(
      (req, res) => {
        res.setHeader('Cache-Control', SWR)
        res.end(peerOf(req))
      },
      {},
      mount,
    )
    server.on('connection', (socket: Socket & { tenant?: string }) => (socket.tenant = 'shop'))
    const { body } = await ask(url, close)
    expect(body).toMatch(/^127\.0\.0\.1 IPv4 127\.0\.0\.1 \d+ shop$/)
    clock.skip(61_000)
    const stored = refilled(cache)
    await ask(url, close)
    await stored
    const hit = await ask(url, close)
    expect([hit.body, hit.headers['cache-status']]).toEqual([body, expect.stringContaining('hit; ttl=5')])
  })

  test('whose client has left sees it, too', async () => {
    const gate = new Gate()
    const { url } = await serve(
      async (req, res) => {
        await gate.pass()
        await expect.poll(() => req.socket.readable).toBe(true) // no longer the client's
        res.setHeader('Cache-Control', SWR)
        res.end(peerOf(req))
      },
      {},
      mount,
      (req, _res, next) => {
        if (req.headers['x-leaves'] !== undefined) req.socket.once('close', () => gate.open())
        next()
      },
    )
    const leader = open(url, { headers: { 'X-Leaves': '1' } })
    leader.response.catch(() => {})
    await gate.reached
    const follower = ask(url)
    await ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })
    leader.leave()
    expect((await follower).body).toMatch(/^127\.0\.0\.1 IPv4 127\.0\.0\.1 \d+ $/)
  })

  test('in the background gets the end of the body that it waits for', async () => {
    let runs = 0
    const { url, clock, cache } = await serve(
      (req, res) => {
        let body = ''
        req.on('data', (chunk) => (body += String(chunk)))
        req.on('end', () => {
          res.setHeader('Cache-Control', SWR)
          res.end(`run ${++runs}${body}`)
        })
      },
      {},
      mount,
    )
    await ask(url)
    for (const run of [2, 3]) {
      clock.skip(61_000)
      const stored = refilled(cache)
      await ask(url)
      await stored
      expect((await ask(url)).body).toBe(`run ${run}`)
    }
  })

  test('in the background goes from its request to its response and back', async () => {
    if (!mount.includes('Express') && mount !== 'wrap') return
    const seen: boolean[] = []
    const { url, clock, cache } = await serve(
      (req, res) => {
        seen.push((req as Request).res === res && res.req === req)
        res.setHeader('Cache-Control', SWR)
        res.end('page')
      },
      {},
      mount,
    )
    await ask(url)
    clock.skip(61_000)
    const stored = refilled(cache)
    await ask(url)
    await stored
    expect(seen).toEqual([true, true])
  })
})

test('Express behind a proxy: a run in the background sees scheme, host and address that the proxy tells', async () => {
  const { flight, clock, cache } = makeFlight()
  const app = express().set('trust proxy', 'loopback')
  app.use(flight as never)
  app.get('/', (req, res) => {
    res.set('Cache-Control', SWR).send(`${req.protocol}://${req.hostname} for ${req.ip}`)
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const headers = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'shop.example', 'X-Forwarded-For': '203.0.113.9' }
  const get = () => ask(url, { headers: { ...headers, Connection: 'close' } })
  await get()
  clock.skip(61_000)
  const stored = refilled(cache)
  await get()
  await stored
  expect((await get()).body).toBe('https://shop.example for 203.0.113.9')
})

/** A key and a certificate that it has signed itself. */
async function certificate(name: string): Promise<{ key: string; cert: string }> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: name }])
  return { key, cert }
}

test('under mutual TLS a run in the background sees the certificate of its client', async () => {
  const [own, client] = await Promise.all([certificate('localhost'), certificate('alice')])
  const { flight, clock, cache } = makeFlight()
  const handler: PlainHandler = (req, res) => {
    const { encrypted, authorized } = req.socket as TLSSocket
    const { subject } = (req.socket as TLSSocket).getPeerCertificate()
    res.setHeader('Cache-Control', SWR)
    res.end(`${encrypted} ${authorized} ${String(subject.CN)} ${(req.socket as TLSSocket).getProtocol()}`)
  }
  const options = { ...own, requestCert: true, ca: client.cert }
  const server = createServer(options, (req, res: ServerResponse) => flight(req, res, () => handler(req, res)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const get = async (): Promise<string> => {
    const { port } = server.address() as AddressInfo
    const outgoing = request({
      port,
      host: '127.0.0.1',
      agent: false,
      ca: own.cert,
      servername: 'localhost',
      ...client,
    })
    outgoing.end()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    let body = ''
    for await (const chunk of response) body += String(chunk)
    return body
  }
  const first = await get()
  expect(first).toMatch(/^true true alice TLSv1\.[23]$/)
  clock.skip(61_000)
  const stored = refilled(cache)
  await get()
  await stored
  expect(await get()).toBe(first)
})

test('with the `inject` of a test library, stale pages are refilled and bodies come to their end', async () => {
  const { flight, clock, cache } = makeFlight()
  let runs = 0
  const app = (req: IncomingMessage, res: ServerResponse): void =>
    flight(req, res, () => {
      req.on('end', () => {
        res.setHeader('Cache-Control', SWR)
        res.end(`run ${++runs} for ${req.socket.remoteAddress}`)
      })
      req.resume()
    })
  const get = async () => (await inject(app as never, { url: '/', remoteAddress: '203.0.113.9' })).payload
  expect(await get()).toBe('run 1 for 203.0.113.9')
  expect(await get()).toBe('run 1 for 203.0.113.9')
  clock.skip(61_000)
  const stored = refilled(cache)
  expect(await get()).toBe('run 1 for 203.0.113.9')
  await stored
  expect(await get()).toBe('run 2 for 203.0.113.9')
})

test('a request that nothing can stand in for is refilled in the foreground by the next one', async () => {
  const { flight, clock } = makeFlight()
  let runs = 0
  /** A request of a kind of its own: no stream, so that its body cannot be awaited once more. */
  const app = (req: IncomingMessage, res: ServerResponse): void => {
    const strange = { method: req.method, url: req.url, headers: req.headers, rawHeaders: req.rawHeaders }
    const own = Object.assign(strange, {
      httpVersionMajor: 1,
      httpVersionMinor: 1,
      socket: req.socket,
      emit: () => false,
    })
    flight(own as never, res, () => {
      res.setHeader('Cache-Control', SWR)
      res.end(`run ${++runs}`)
    })
  }
  const get = async () => (await inject(app as never, { url: '/' })).payload
  await get()
  clock.skip(61_000)
  expect(await get()).toBe('run 1')
  await expect.poll(get).toBe('run 2')
  expect(await get()).toBe('run 2')
  expect(runs).toBe(2)
})
