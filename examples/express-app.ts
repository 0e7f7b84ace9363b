// How do I keep a herd of requests off the slow handlers of an Express API?
//
// Look at: what each handler says in Cache-Control, which is all that decides; and Cache-Status, which says what was done.
// Run:     npm run example examples/express-app.ts
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import express, { type ErrorRequestHandler } from 'express'
import { createCache, singleFlight } from 'herdlock'

// Memory of this process. With `redis` all processes of the app share one cache and one run.
const cache = createCache({ ttl: 60_000 })
const app = express()
app.use(singleFlight({ cache }))

const runs = { list: 0, one: 0, prices: 0 }
const products = new Map([
  ['1', 'tea'],
  ['2', 'coffee'],
])

app.get('/products', async (_request, response) => {
  runs.list++
  await delay(200) // the slow query
  // Fresh for 5 s; then sent as it is for up to a minute, while one request behind the scenes runs this again.
  response.set('Cache-Control', 'public, max-age=5, stale-while-revalidate=60')
  response.json([...products.values()])
})

app.get('/products/:id', async (request, response) => {
  runs.one++
  await delay(50)
  const name = products.get(request.params.id)
  // "There is none" may be kept too: for less time, as it may come to be.
  response.set('Cache-Control', name === undefined ? 'public, max-age=1' : 'public, max-age=60')
  response.status(name === undefined ? 404 : 200).json({ name })
})

app.get('/account', (request, response) => {
  response.set('Cache-Control', 'private') // one user's own: everybody gets their own run, and nobody waits
  response.json({ user: request.get('Authorization') })
})

app.get('/prices', (_request, response) => {
  if (++runs.prices > 1) throw new Error('the price service is down')
  // Fresh for one second; for an hour after it better than an error.
  response.set('Cache-Control', 'public, max-age=1, stale-if-error=3600')
  response.json({ tea: 3 })
})

const answerError: ErrorRequestHandler = (error: Error, _request, response, _next) => {
  response.status(503).json({ error: error.message }) // says nothing of freshness: never stored
}
app.use(answerError)

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function show(path: string, headers: Record<string, string> = {}): Promise<void> {
  const response = await fetch(url + path, { headers })
  console.log(path, response.status, await response.text(), '|', response.headers.get('cache-status'))
}

await Promise.all(Array.from({ length: 50 }, async () => (await fetch(`${url}/products`)).text()))
console.log(`50 requests at once, handler runs: ${runs.list}`)
await show('/products')

await show('/products/1')
await show('/products/9')
await show('/products/9')
console.log(`one product, and one that is missing twice, handler runs: ${runs.one}`)

await show('/account', { authorization: 'Ada' })
await show('/account', { authorization: 'Grace' })

await show('/prices')
await delay(1_100)
await show('/prices')
console.log(`the handler has failed meanwhile, handler runs: ${runs.prices}`)

server.close()
server.closeAllConnections()
await cache.close()
