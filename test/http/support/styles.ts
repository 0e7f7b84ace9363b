import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import type { NextFunction, Request, Response } from 'express'
import { onTestFinished } from 'vitest'

/** Long enough for compression to take it up. */
const PAGE: string = 'The quick brown fox jumps over the lazy dog. '.repeat(100)
const LARGE: string = PAGE.repeat(60)
const FRESHNESS = 'max-age=60, stale-while-revalidate=600'

interface Run {
  /** 1 for the first time that the handler runs. */
  number: number
  /** The place where the test holds the handler, after it has begun and before it is done. */
  pause: () => Promise<void>
}

export interface Style {
  name: string
  /** `body` of a run, and the status that it must have. */
  status: number
  body: (run: number) => string
  /** How the response comes to be. */
  handle: (run: Run, req: Request, res: Response, next: NextFunction) => unknown
  /** It ends in an error from the second run on. */
  fails?: boolean
}

const text = (run: number): string => `${run}: ${PAGE}`

export const STYLES: readonly Style[] = [
  style(
    'json',
    async ({ number, pause }, _req, res) => {
      await pause()
      res.set('Cache-Control', FRESHNESS).json(text(number))
    },
    (run) => JSON.stringify(text(run)),
  ),
  style('send', async ({ number, pause }, _req, res) => {
    await pause()
    res.set('Cache-Control', FRESHNESS).send(text(number))
  }),
  style('pipe', ({ number, pause }, _req, res) => {
    res.set({ 'Cache-Control': FRESHNESS, 'Content-Type': 'text/plain' })
    Readable.from(inTwoParts(number, pause)).pipe(res)
  }),
  style('pipeline', async ({ number, pause }, _req, res) => {
    res.set({ 'Cache-Control': FRESHNESS, 'Content-Type': 'text/plain' })
    await pipeline(Readable.from(inTwoParts(number, pause)), res)
  }),
  style('stops when its client leaves', async ({ number, pause }, req, res) => {
    let left = false
    res.on('close', () => (left = true))
    req.on('aborted', () => (left = true))
    res.set({ 'Cache-Control': FRESHNESS, 'Content-Type': 'text/plain' })
    for await (const part of inTwoParts(number, pause)) {
      if (left || res.destroyed || req.socket.destroyed) return
      res.write(part)
    }
    if (!left) res.end()
  }),
  {
    name: 'sendFile',
    status: 200,
    body: () => PAGE,
    async handle({ pause }, _req, res) {
      await pause()
      res.set('Cache-Control', FRESHNESS).sendFile(pageFile())
    },
  },
  {
    name: 'redirect',
    status: 301,
    body: () => 'Moved Permanently. Redirecting to /elsewhere',
    async handle({ pause }, _req, res) {
      await pause()
      res.set('Cache-Control', FRESHNESS).redirect(301, '/elsewhere')
    },
  },
  style('writeHead with an object', async ({ number, pause }, _req, res) => {
    await pause()
    const body = text(number)
    res.writeHead(200, 'Fine', { 'Cache-Control': FRESHNESS, 'Content-Length': Buffer.byteLength(body) })
    res.end(body)
  }),
  style('writeHead with a flat array', async ({ number, pause }, _req, res) => {
    res.writeHead(200, ['Cache-Control', FRESHNESS, 'Content-Type', 'text/plain', 'X-Twice', 'a', 'X-Twice', 'b'])
    for await (const part of inTwoParts(number, pause)) res.write(part)
    res.end()
  }),
  style(
    'waits for drain',
    async ({ number, pause }, _req, res) => {
      res.set({ 'Cache-Control': FRESHNESS, 'Content-Type': 'text/plain' })
      const piece = Buffer.alloc(64 * 1024)
      const all = Buffer.from(`${number}: ${LARGE}`)
      for (let at = 0; at < all.length; at += piece.length) {
        if (at === piece.length) await pause()
        // The same buffer again and again, as who reads files by hand does it.
        const size = all.copy(piece, 0, at)
        if (!res.write(piece.subarray(0, size))) await once(res, 'drain')
      }
      res.end()
    },
    (run) => `${run}: ${LARGE}`,
  ),
  {
    ...style('throws', async ({ number, pause }, _req, res) => {
      await pause()
      if (number > 1) throw new Error('out of order')
      res.set('Cache-Control', FRESHNESS).send(text(number))
    }),
    fails: true,
  },
  {
    ...style('next(err)', async ({ number, pause }, _req, res, next) => {
      await pause()
      if (number > 1) next(new Error('out of order'))
      else res.set('Cache-Control', FRESHNESS).send(text(number))
    }),
    fails: true,
  },
  style('proxies', async ({ number, pause }, req, res) => {
    const port = await upstreamPort(number, pause)
    const upstream = request({
      host: '127.0.0.1',
      port,
      path: req.url,
      method: req.method,
      headers: req.headers,
      agent: false,
    })
    req.on('aborted', () => upstream.destroy())
    res.on('close', () => {
      if (!res.writableFinished) upstream.destroy()
    })
    upstream.on('response', (response) => {
      res.writeHead(response.statusCode ?? 0, response.rawHeaders)
      response.pipe(res)
    })
    upstream.on('error', () => res.destroy())
    req.pipe(upstream)
  }),
]

function style(name: string, handle: Style['handle'], body: Style['body'] = text): Style {
  return { name, status: 200, body, handle }
}

async function* inTwoParts(number: number, pause: () => Promise<void>): AsyncGenerator<string> {
  const whole = text(number)
  yield whole.slice(0, 100)
  await pause()
  yield whole.slice(100)
}

function pageFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'page-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'page.txt')
  writeFileSync(file, PAGE)
  return file
}

async function upstreamPort(number: number, pause: () => Promise<void>): Promise<number> {
  const answer = async (res: ServerResponse): Promise<void> => {
    // Its clock is not the one that the test sets forward.
    res.sendDate = false
    res.setHeader('Cache-Control', FRESHNESS)
    res.setHeader('Content-Type', 'text/plain')
    for await (const part of inTwoParts(number, pause)) res.write(part)
    res.end()
  }
  const server = createServer((_req, res) => void answer(res)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}
