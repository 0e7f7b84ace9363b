// Run as a process of its own: streams a body through the middleware and prints how much memory that took.
import { once } from 'node:events'
import { createServer, get, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { singleFlight } from '../../../src/middleware/node/single-flight.ts'

const MIB = 1024 * 1024
const size = Number(process.argv[2]) * MIB
/** Far above maxBodyBytes, too. */
const WARM_UP = 32 * MIB
const piece = Buffer.alloc(MIB, 'x')
const flight = singleFlight({ maxBodyBytes: MIB })
const server = createServer((req, res) => flight(req, res, () => void write(res, sizeOf(req.url))))

function sizeOf(path: string | undefined): number {
  return path === '/warm-up' ? WARM_UP : size
}

async function write(res: ServerResponse, bytes: number): Promise<void> {
  res.setHeader('Cache-Control', 'max-age=60')
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (!res.write(piece)) await once(res, 'drain')
  }
  res.end()
}

server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo

async function download(path: string): Promise<number> {
  const [response] = await once(get({ port, host: '127.0.0.1', path, agent: false }), 'response')
  let received = 0
  let most = 0
  let looks = 0
  for await (const chunk of response) {
    received += (chunk as Buffer).length
    if (looks++ % 64 === 0) most = Math.max(most, process.memoryUsage.rss())
  }
  if (received !== sizeOf(path)) throw new Error(`received ${received} of ${sizeOf(path)} bytes`)
  return most
}

// What the first pieces of code and memory cost is not what is measured.
await Promise.all([download('/warm-up'), download('/warm-up')])
const before = process.memoryUsage.rss()
const most = await Promise.all([download('/'), download('/')])
console.log(JSON.stringify({ grownMiB: Math.round((Math.max(...most) - before) / MIB) }))
server.closeAllConnections()
server.close()
await flight.close()
