// How do I put the cache in front of a whole app, whatever framework it is written in?
//
// Look at: the call of createServer. What the cache answers never enters the app: neither its router nor its middleware.
// Run:     npm run example examples/in-front.ts
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import express from 'express'
import { createCache, singleFlight } from 'herdlock'

const app = express()
let entered = 0
app.use((_request, _response, next) => {
  entered++
  next()
})
app.get('/report', async (_request, response) => {
  await delay(200) // what makes it worth sharing
  response.set('Cache-Control', 'public, max-age=60').json({ rows: [1, 2, 3] })
})
app.get('/stock', (_request, response) => {
  response.json({ left: 7 }) // says nothing about caching: not kept, and not shared
})
app.put('/report', (_request, response) => {
  response.sendStatus(204) // a change passes through, and what was kept of its URL is forgotten
})

const cache = createCache({ ttl: 60_000 })
const flight = singleFlight({ cache })
const server = createServer((request, response) => flight(request, response, () => app(request, response)))
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function ask(what: string, path: string, count: number, method = 'GET'): Promise<void> {
  entered = 0
  const requests = Array.from({ length: count }, () => fetch(url + path, { method }))
  const statuses = new Set((await Promise.all(requests)).map(({ status }) => status))
  console.log(`${what}: ${count} requests, status ${[...statuses].join()}, entered the app: ${entered}`)
}

await ask('cold', '/report', 100)
await ask('kept', '/report', 100)
await ask('not to be kept', '/stock', 100)
await ask('changed', '/report', 1, 'PUT')
await ask('after the change', '/report', 100)

server.close()
server.closeAllConnections()
await cache.close()
