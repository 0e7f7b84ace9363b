// main.js redis://… PREFIX NAME: one process of a herd, which serves a page by the server that it is told, in that one's own
// runtime, and prints the port. Its handlers count their runs in Redis. Ends when its standard input does.
import { setTimeout as delay } from 'node:timers/promises'
import { Elysia } from 'elysia'
import { Redis } from 'ioredis'
import { createCache } from '../../../dist/index.js'
import { singleFlight } from '../../../dist/fetch.js'

const [redisUrl, prefix, name] = process.argv.slice(2)
const redis = new Redis(redisUrl)
const counter = new Redis(redisUrl)
const cache = createCache({ ttl: 60_000, redis, prefix })
const flight = singleFlight({ cache })

async function page() {
  const run = await counter.incr(`${prefix}:runs`)
  await delay(300)
  return new Response(`run ${run}`, { headers: { 'Cache-Control': 'public, max-age=60' } })
}

const hostname = '127.0.0.1'

/** How each is told to serve the page, as docs/fetch.md says. Returns its port. */
const SERVERS = {
  'Bun.serve': () => Bun.serve({ port: 0, hostname, fetch: flight.wrap(page) }).port,
  'Deno.serve': () => Deno.serve({ port: 0, hostname, onListen() {} }, flight.wrap(page)).addr.port,
  Elysia() {
    const app = new Elysia().get('/page', page)
    return Bun.serve({ port: 0, hostname, fetch: (request) => flight(request, (seen) => app.handle(seen)) }).port
  },
}

const port = SERVERS[name]()
await cache.getOrRefill('warm-up', () => 'warm')
console.log(port)
process.stdin.on('end', () => process.exit()).resume()
