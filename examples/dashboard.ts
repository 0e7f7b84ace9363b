// How can I watch my cache work?
//
// Look at: the page at the address that this prints; press keys of it, and see what the cache has of them.
// Run: npm run example examples/dashboard.ts
// Several such processes share one cache with REDIS_URL=redis://127.0.0.1:6379
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import express from 'express'
import { createCache } from 'herdlock'
import { dashboard } from 'herdlock/dashboard'
import { Redis } from 'ioredis'

const url = process.env['REDIS_URL']
const redis = url === undefined ? undefined : new Redis(url)
const cache = createCache({ ttl: 3_000, staleWhileRevalidate: 10_000, redis })

// On this machine nobody is asked who they are; for anywhere else add `authorize: (request) => …`.
const page = dashboard({ caches: { prices: cache }, allowInvalidate: true })
const app = express()
app.use('/herdlock', page)
app.get('/price/:id', async (request, response) => {
  const { id } = request.params
  const price = await cache.getOrRefill(
    `price:${id}`,
    async () => {
      await delay(300) // the slow query
      return { id, cents: 100 + id.length }
    },
    { tags: ['prices'] },
  )
  response.json(price)
})

const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
console.log(`listening on http://localhost:${port}: see /herdlock, and ask for /price/1`)

await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
page.close() // whoever looks would keep the server open
server.close()
server.closeIdleConnections()
await cache.close()
redis?.disconnect()
console.log('closed')
