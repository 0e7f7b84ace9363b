// How do I keep a herd of requests off the slow handlers of a Hono app?
//
// Look at: the layer, mounted once for all routes; the request id, which is each request's own, hits included; and the
//          invalidation, in the words of HTTP.
// Run:     npm run example examples/hono-app.ts
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { serve } from '@hono/node-server'
import { singleFlight } from 'herdlock/hono'
import { Hono } from 'hono'
import { requestId } from 'hono/request-id'

const flight = singleFlight({ ttl: 5_000, staleWhileRevalidate: 60_000 }) // for answers that say nothing about caching
const app = new Hono()
app.use(requestId()) // outside: runs for every request
app.use(flight)

const articles = new Map([['tea', 'Tea is a drink.']])
let runs = 0
app.get('/articles/:name', async (context) => {
  runs++
  await delay(200) // the slow query
  return context.json({ text: articles.get(context.req.param('name')) ?? null })
})
app.put('/articles/:name', async (context) => {
  articles.set(context.req.param('name'), await context.req.text())
  return context.body(null, 204) // a change that succeeds invalidates its URL
})

const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/articles/tea`

async function ask(count: number): Promise<void> {
  runs = 0
  const responses = await Promise.all(Array.from({ length: count }, () => fetch(url)))
  const bodies = new Set(await Promise.all(responses.map((response) => response.text())))
  const ids = new Set(responses.map((response) => response.headers.get('x-request-id')))
  console.log(`${count} requests: ${[...bodies].join()} | ids: ${ids.size} | runs: ${runs}`)
}

await ask(100)
await ask(100)
await fetch(url, { method: 'PUT', body: 'Tea is a meal.' })
await ask(100)

server.close()
if ('closeAllConnections' in server) server.closeAllConnections() // not on HTTP/2
await flight.close()
