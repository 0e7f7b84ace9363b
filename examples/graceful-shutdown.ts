// How do I end a process without failing a request and without leaving anything behind?
//
// Look at: the last part, and its order: no new connections, answers to all that is under way, then the cache, then Redis.
// Run:     npm run example examples/graceful-shutdown.ts     (with REDIS_URL: shared by all processes)
//          Then: curl the URL that it prints, and press Ctrl-C or send SIGTERM before the answer has come.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import express from 'express'
import { createCache, singleFlight } from 'herdlock'
import { Redis } from 'ioredis'

const { PORT = '0', REDIS_URL } = process.env
const redis = REDIS_URL === undefined ? undefined : new Redis(REDIS_URL)
const cache = createCache({ ttl: 60_000, prefix: 'shutdown-example', redis })
cache.on('error', ({ error }) => console.error(error))

const app = express()
app.use(singleFlight({ cache }))

let runs = 0
app.get('/report', async (_request, response) => {
  console.log(`report, run ${++runs}`)
  await delay(1_500)
  response.set('Cache-Control', 'public, max-age=1').json({ run: runs })
})
app.get('/rates/:currency', async (request, response) => {
  const rate = await cache.getOrRefill(`rate:${request.params.currency}`, async ({ signal }) => {
    console.log('rate')
    return delay(1_500, 1.08, { signal })
  })
  response.json({ rate })
})

const server = app.listen(Number(PORT), '127.0.0.1')
await once(server, 'listening')
console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}/report`)

await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])

// 1. No new connections; who has one gets the answer that is under way. Connections that are kept alive would keep the
//    server open: they are closed as soon as they are idle, and all of them when the time is up.
const closed = once(server, 'close')
server.close()
console.log('ending')
const idle = setInterval(() => server.closeIdleConnections(), 50)
const deadline = setTimeout(() => server.closeAllConnections(), 10_000)
await closed
clearInterval(idle)
clearTimeout(deadline)

// 2. What nobody waits for, such as refills in the background, is aborted, and its leases are given back at once, so that
//    another process can go on. 3. The cache leaves your connection to you.
await cache.close()
await redis?.quit()
console.log('ended')
