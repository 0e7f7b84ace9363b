// How do I forget everything that a change concerns, pages and data, with one call?
//
// Look at: the tags. Data has them by `tags` or `cacheFor`, pages by Cache-Groups; `invalidateTags` forgets both.
// Run:     npm run example examples/tags-purge.ts
//          With REDIS_URL what one process forgets, all forget.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { createCache, singleFlight } from 'herdlock'
import { Redis } from 'ioredis'

const { REDIS_URL, PURGE_TOKEN = randomUUID() } = process.env
const redis = REDIS_URL === undefined ? undefined : new Redis(REDIS_URL)
const cache = createCache({ ttl: 600_000, prefix: 'tags-example', redis })

const products = new Map([
  ['1', { id: '1', category: 'drinks', name: 'tea' }],
  ['2', { id: '2', category: 'drinks', name: 'coffee' }],
  ['3', { id: '3', category: 'food', name: 'bread' }],
])
const tagOf = (id: string): string => `product-${id}`

const ran: string[] = []

function findProduct(id: string) {
  function query() {
    ran.push(`query of product ${id}`)
    return products.get(id) ?? null
  }
  return cache.getOrRefill(`product:${id}`, query, { tags: [tagOf(id)] })
}

function listCategory(category: string) {
  return cache.getOrRefill(`category:${category}`, ({ cacheFor }) => {
    ran.push(`query of ${category}`)
    const found = [...products.values()].filter((product) => product.category === category)
    cacheFor({ tags: found.map(({ id }) => tagOf(id)) }) // what it is made of is known only now
    return found.map(({ name }) => name)
  })
}

const app = express()
app.use(singleFlight({ cache }))

app.get('/products/:id', async (request, response) => {
  const { id } = request.params
  ran.push(`page of product ${id}`)
  response.set({ 'Cache-Control': 'public, max-age=600', 'Cache-Groups': `"${tagOf(id)}"` })
  response.json(await findProduct(id))
})
app.get('/categories/:name', async (request, response) => {
  response.json(await listCategory(request.params.name)) // the page is not kept, what it is made of is
})

app.put('/products/:id/:name', async (request, response) => {
  const { id, name } = request.params
  const product = products.get(id)
  if (product === undefined) return void response.sendStatus(404)
  products.set(id, { ...product, name })
  await cache.invalidateTags(tagOf(id)) // after the change; rejects if not all have heard of it
  response.sendStatus(204)
})
app.post('/purge/:tag', async (request, response) => {
  if (request.get('authorization') !== `Bearer ${PURGE_TOKEN}`) return void response.sendStatus(403)
  await cache.invalidateTags(request.params.tag)
  response.sendStatus(204)
})

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function ask(when: string): Promise<void> {
  ran.length = 0
  const paths = ['/products/1', '/products/3', '/categories/drinks', '/categories/food']
  const bodies = await Promise.all(paths.map(async (path) => (await fetch(url + path)).text()))
  console.log(`${when}: ${ran.toSorted().join(', ') || 'nothing'} | ${bodies[0]} ${bodies[2]}`)
}

await ask('at first ran')
await ask('again ran')
await fetch(`${url}/products/1/chai`, { method: 'PUT' })
await ask('after a change of product 1 ran')

const purge = (token: string) =>
  fetch(`${url}/purge/product-3`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
console.log(`purges of product 3: ${(await purge('guessed')).status}, ${(await purge(PURGE_TOKEN)).status}`)
await ask('after the purge ran')

server.close()
server.closeAllConnections()
await cache.clear()
await cache.close()
await redis?.quit()
