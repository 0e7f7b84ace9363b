import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

import { Redis } from 'ioredis'

import { createCache } from '../../../src/cache/create-cache.ts'
import { singleFlight as fetchFlight } from '../../../src/middleware/fetch/single-flight.ts'
import { singleFlight } from '../../../src/middleware/node/single-flight.ts'
import { listenerOf } from '../../http/support/fetch-server.ts'
import { parent, ready } from '../../support/worker-side.ts'

/**
 * A process that serves event streams, under `/node` and `/fetch`: an event every `every` ms, `count` in all, each with its
 * number and the pid of the process. The process whose pid is `silent` says nothing at all.
 */
const [redisUrl, prefix] = process.argv.slice(2) as [string, string]
const redis = new Redis(redisUrl)
redis.on('error', () => {})
const cache = createCache({ ttl: 60_000, redis, prefix, lockTtl: 500, commandTimeout: 200 })
const options = { cache, ttl: 60_000, shareEventStreams: true }

async function* eventsFor(url: string): AsyncGenerator<Uint8Array> {
  const { searchParams, pathname } = new URL(url, 'http://a.example')
  const [count, every] = [Number(searchParams.get('count')), Number(searchParams.get('every'))]
  parent.send({ type: 'producing', pathname })
  for (let number = 0; number < count; number++) {
    if (number > 0) await delay(every)
    yield Buffer.from(`id: ${number}\ndata: ${process.pid}\n\n`)
  }
}

const silence = async (url: string | undefined): Promise<void> => {
  if (url?.endsWith(`silent=${process.pid}`)) await new Promise(() => {})
}
const FIELDS = { 'Content-Type': 'text/event-stream' }
const onNode = singleFlight(options)
const onFetch = fetchFlight(options).wrap(async ({ url }) => {
  const events = eventsFor(url)
  const first = await events.next()
  await silence(url)
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(first.value),
    async pull(controller) {
      const { done, value } = await events.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    },
  })
  return new Response(body, { headers: FIELDS })
})

const server = createServer((request, response) => {
  if (request.url?.startsWith('/fetch')) return listenerOf(onFetch)(request, response)
  return onNode(request, response, () => {
    const write = async (): Promise<void> => {
      for await (const event of eventsFor(request.url ?? '/')) {
        await silence(request.url)
        if (!response.headersSent) response.writeHead(200, FIELDS)
        response.write(event)
      }
      response.end()
    }
    void write()
  })
}).listen(0, '127.0.0.1')
await once(server, 'listening')
await cache.getOrRefill(`warm-up ${process.pid}`, () => 'warm')
while (cache.stats().redis[0]?.messages !== 'connected') await delay(5)
ready()
parent.send({ type: 'listening', port: (server.address() as AddressInfo).port })
