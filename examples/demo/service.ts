// One server process of the demo: an Express app with one slow handler, mounted with and without singleFlight.
import type { AddressInfo } from 'node:net'
import express, { type Request, type Response } from 'express'
import { createCache } from 'herdlock'
import { singleFlight } from 'herdlock/express'
import { Redis } from 'ioredis'
import { channelTo } from '../../test/support/message-channel.ts'
import { Database } from './database.ts'
import { LONG_QUERY_TIME, QUERY_TIME, STALE_PHASE_TTL } from './timing.ts'

const [connections, redisUrl, prefix] = process.argv.slice(2)
const redis = redisUrl === undefined ? undefined : new Redis(redisUrl)
redis?.on('error', () => {}) // one of the scenes takes Redis away
const cache = createCache({
  ttl: 60_000,
  redis,
  prefix,
})

let runs = 0
const reportFrom = (database: Database) => async (_request: Request, response: Response) => {
  runs++
  response.json(await database.query())
}
const report = reportFrom(new Database(Number(connections), QUERY_TIME))
const longReport = reportFrom(new Database(Number(connections), LONG_QUERY_TIME))

const app = express()
app.use((_request, response, next) => {
  response.set('X-Received-On', String(Date.now())) // with `madeOn` it tells who has waited for the handler
  next()
})
app.get('/without', report)
app.get('/warm-up', singleFlight({ cache, ttl: 60_000 }), report)
app.get('/with', singleFlight({ cache, ttl: 60_000 }), report)
app.get('/page/:name', singleFlight({ cache, ttl: 60_000 }), report)
app.get('/long/:name', singleFlight({ cache, ttl: 60_000 }), longReport)
app.get('/expiring', singleFlight({ cache, ttl: STALE_PHASE_TTL, staleWhileRevalidate: 60_000 }), report)

const parent = channelTo(process, 'the demo')
const server = app.listen(0, '127.0.0.1', (error) => {
  if (error) throw error
  const { port } = server.address() as AddressInfo
  parent.send({ type: 'ready', port })
})

void answerCounts()
await parent.next('stop')
server.close()
server.closeAllConnections()
if (redis !== undefined) await cache.clear().catch(() => {})
await cache.close()
redis?.disconnect()
process.exit()

/** Tells how often the handler has run since the last time it was asked. */
async function answerCounts(): Promise<void> {
  for (;;) {
    await parent.next('count')
    parent.send({ type: 'counted', runs })
    runs = 0
  }
}
