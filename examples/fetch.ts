// How do I keep a herd of requests off a slow handler that answers a Request with a Response?
//
// Look at: flight.wrap, and the signal of the handler's request: it outlives the client that happened to be first.
// Run:     npm run example examples/fetch.ts
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { serve } from '@hono/node-server'
import { singleFlight } from 'herdlock/fetch'

const flight = singleFlight()

let runs = 0
async function report({ signal }: Request): Promise<Response> {
  const run = ++runs
  await delay(300, undefined, { signal }) // the slow query
  return Response.json({ run }, { headers: { 'Cache-Control': 'public, max-age=60' } })
}

async function account(request: Request): Promise<Response> {
  runs++
  return Response.json({ of: request.headers.get('authorization') }, { headers: { 'Cache-Control': 'private' } })
}

const routes: Record<string, (request: Request) => Promise<Response>> = { '/report': report, '/account': account }
const handler = flight.wrap((request) => routes[new URL(request.url).pathname]?.(request) ?? Response.error())

const server = serve({ fetch: handler, port: 0, hostname: '127.0.0.1' })
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function ask(path: string, count: number, headersOf: (index: number) => Record<string, string>): Promise<void> {
  runs = 0
  const asked = Array.from({ length: count }, async (_, index) => {
    const response = await fetch(url + path, { headers: headersOf(index) })
    return response.text()
  })
  const bodies = new Set(await Promise.all(asked))
  console.log(`${count} × ${path}: ${bodies.size} different answers | runs: ${runs}`)
}

const first = new AbortController()
const leaving = fetch(`${url}/report`, { signal: first.signal }).catch(() => console.log('the first client has left'))
setTimeout(() => first.abort(), 100)
await ask('/report', 100, () => ({}))
await leaving
await ask('/report', 100, () => ({}))
await ask('/account', 20, (user) => ({ Authorization: `user ${user}` }))

server.close()
if ('closeAllConnections' in server) server.closeAllConnections() // not on HTTP/2
await flight.close()
