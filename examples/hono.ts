// How do I use getOrRefill in Hono?
//
// Look at: the handler, which hands on the request's own signal: whoever leaves waits no longer, and when all who waited
//          have left, the query stops.
// Run:     npm run example examples/hono.ts
import { EventEmitter, once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { serve } from '@hono/node-server'
import { createCache } from 'herdlock'
import { Hono } from 'hono'

const cache = createCache({ ttl: 30_000, staleWhileRevalidate: 60_000 })
const app = new Hono()

const queries = new EventEmitter()
let count = 0
async function search(words: string, signal: AbortSignal): Promise<string[]> {
  count++
  signal.addEventListener('abort', () => queries.emit('stopped', words))
  await delay(500, undefined, { signal })
  return [`a page about ${words}`]
}

app.get('/search/:words', async (context) => {
  const words = context.req.param('words')
  const results = await cache.getOrRefill(`search:${words}`, ({ signal }) => search(words, signal), {
    signal: context.req.raw.signal,
  })
  return context.json(results)
})
app.onError((error, context) => context.json({ error: error.message }, 500)) // nobody reads it if the client has left

const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const answers = await Promise.all(Array.from({ length: 100 }, async () => (await fetch(`${url}/search/tea`)).text()))
console.log(`100 requests, answers: ${[...new Set(answers)].join()} | queries: ${count}`)

/** Two clients ask for the same; when both wait, those who have `leave` as their signal go away. */
async function ask(words: string, leave: AbortController, signals: (AbortSignal | null)[]): Promise<string> {
  const bothWait = new Promise<void>((resolve) => {
    const stop = cache.on('coalesced', () => resolve(stop()))
  })
  const requests = signals.map((signal) => fetch(`${url}/search/${words}`, { signal }))
  void bothWait.then(() => leave.abort())
  return (await Promise.allSettled(requests)).map(({ status }) => status).join(', ')
}

const one = new AbortController()
console.log(`one of two leaves: ${await ask('coffee', one, [one.signal, null])}`)

const both = new AbortController()
const stopped = once(queries, 'stopped')
console.log(`both leave: ${await ask('cocoa', both, [both.signal, both.signal])}`)
console.log(`the query that stopped: ${(await stopped).join()}`)

server.close()
if ('closeAllConnections' in server) server.closeAllConnections() // not on HTTP/2
await cache.close()
