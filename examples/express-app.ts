// Run: npm run example examples/express-app.ts
// Then: curl -i http://127.0.0.1:3000/report
//
// singleFlight in an Express app: however many ask for /report at once, its handler runs once.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import express from 'express'
import { createCache, singleFlight } from 'herdlock'

// Without `redis` the cache is this process's own. With it, all processes of the app share one.
const cache = createCache({ ttl: 5_000 })
const app = express()
app.use(singleFlight({ cache }))

let runs = 0
app.get('/report', async (_request, response) => {
  const run = ++runs
  await delay(200) // what makes it worth sharing
  // Shared because it says so: fresh for 5 s, then served stale for up to a minute while one request refills it.
  response.set('Cache-Control', 'public, max-age=5, stale-while-revalidate=60')
  response.json({ run })
})

app.get('/account', (request, response) => {
  // Never shared, each request gets its own: it is private.
  response.set('Cache-Control', 'private')
  response.json({ user: request.get('Authorization') ?? 'nobody' })
})

const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
console.log(`listening on http://127.0.0.1:${port}`)

await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
server.close()
server.closeIdleConnections()
await cache.close()
console.log('closed')
