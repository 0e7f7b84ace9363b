// `npm run demo -- --serve`: an Express app with two lanes, one of them with herdlock, a page to send a herd down both,
// a third lane in which readers share an event stream, and herdlock's dashboard.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import express, { type Response } from 'express'
import { createCache } from 'herdlock'
import { dashboard } from 'herdlock/dashboard'
import { singleFlight } from 'herdlock/express'
import { Redis } from 'ioredis'
import type { Channel } from '../../test/support/message-channel.ts'
import { Lane } from './lanes.ts'
import { Model } from './model.ts'
import { startProcess } from './processes.ts'
import type { DemoRedis } from './redis.ts'

const HERD = 500
const PORT = 3000
/** ms between two messages to a page that looks. */
const REFRESH = 100

export interface DemoServer {
  readonly url: string
  stop(): Promise<void>
}

/** Serves on the loopback interface alone, at PORT or, if that is taken, at a free port. */
export async function serveDemo(redis: DemoRedis | undefined): Promise<DemoServer> {
  const client = redis === undefined ? undefined : new Redis(redis.url)
  const cache = createCache({
    ttl: 5_000,
    staleWhileRevalidate: 30_000,
    redis: client,
  })
  const page = dashboard({ caches: { demo: cache }, allowInvalidate: true })
  const lanes = { without: new Lane(), with: new Lane() }
  const herds = await Promise.all(Object.keys(lanes).map(async () => (await startProcess('load')).channel))
  const model = new Model()
  let isRunning = false

  const app = express()
  app.use('/herdlock', page)
  app.use(express.static(fileURLToPath(new URL('page', import.meta.url))))

  app.get('/without', async (_request, response) => {
    follow(lanes.without, response)
    response.json(await lanes.without.query())
  })
  app.get('/with', async (_request, response) => {
    follow(lanes.with, response)
    response.json(await cache.getOrRefill('report', () => lanes.with.query()))
  })

  // Each question has an address of its own. Whoever reads it, however late, reads one answer of the model.
  app.get('/story/:question', singleFlight({ cache, shareEventStreams: true }), async (_request, response) => {
    response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'public, max-age=60' })
    let id = 0
    for await (const word of model.tell()) response.write(`id: ${id++}\ndata: ${word}\n\n`)
    response.end('event: end\ndata\n\n')
  })

  app.post('/stampede', async (request, response) => {
    // No page of another site can send this header.
    if (request.get('X-Demo') === undefined || isRunning) return void response.sendStatus(409)
    isRunning = true
    try {
      for (const lane of Object.values(lanes)) lane.reset()
      await stampede(herds, (server.address() as AddressInfo).port, Object.keys(lanes))
      response.sendStatus(204)
    } finally {
      isRunning = false
    }
  })

  app.get('/lanes', (_request, response) => {
    response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    const tell = (): void => {
      const state = { herd: HERD, isRunning, without: lanes.without.state, with: lanes.with.state, model: model.state }
      response.write(`data: ${JSON.stringify(state)}\n\n`)
    }
    tell()
    const timer = setInterval(tell, REFRESH)
    response.once('close', () => clearInterval(timer))
  })

  const server = app.listen(PORT, '127.0.0.1', () => {})
  await once(server, 'listening').catch(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    async stop() {
      page.close()
      server.close()
      server.closeAllConnections()
      await cache.close()
      client?.disconnect()
    },
  }
}

/** Counts a request, and notes when it came: with `madeOn` in the answer that tells who has waited for the query. */
function follow(lane: Lane, response: Response): void {
  response.set('X-Received-On', String(Date.now()))
  lane.follow(response)
}

/** Each herd comes from a process of its own, which opens all its connections first. */
async function stampede(herds: readonly Channel[], port: number, paths: readonly string[]): Promise<void> {
  for (const [i, herd] of herds.entries()) {
    herd.send({ type: 'order', ports: [port], path: `/${paths[i]}`, requests: HERD, over: 0, storedBefore: false })
  }
  await Promise.all(herds.map((herd) => herd.next('ready-to-fire')))
  for (const herd of herds) herd.send({ type: 'fire' })
  await Promise.all(herds.map((herd) => herd.next('finished')))
}
