// How do I keep a herd of requests off the slow handlers of a Fastify app?
//
// Look at: where the plugin is registered. The hook before it sees every request; what comes after it runs once for all.
//          The config of a route says what is different there.
// Run:     npm run example examples/fastify-responses.ts
import { setTimeout as delay } from 'node:timers/promises'
import fastify from 'fastify'
import herdlock from 'herdlock/fastify'

const app = fastify()
let requests = 0
app.addHook('onRequest', async (_request, reply) => {
  requests++
  void reply.header('X-Request-Id', String(requests))
})
await app.register(herdlock)

let runs = 0
const rows = { type: 'object', properties: { rows: { type: 'array', items: { type: 'integer' } } } }
app.get('/report', { schema: { response: { 200: rows } } }, async (_request, reply) => {
  runs++
  await delay(200) // the slow query
  void reply.header('Cache-Control', 'public, max-age=60')
  return { rows: [1, 2, 3], note: 'not in the schema' }
})
app.get('/rates', { config: { singleFlight: { ttl: 5_000 } } }, async () => {
  runs++
  return { eur: 1.08 }
})
app.get('/health', { config: { singleFlight: false } }, async () => {
  runs++
  return 'ok'
})

const url = await app.listen({ port: 0, host: '127.0.0.1' })

async function ask(path: string, count: number): Promise<void> {
  requests = 0
  runs = 0
  const responses = await Promise.all(Array.from({ length: count }, () => fetch(url + path)))
  const ids = new Set(responses.map(({ headers }) => headers.get('x-request-id')))
  const bodies = new Set(await Promise.all(responses.map((response) => response.text())))
  console.log(`${requests} × ${path}: ${[...bodies].join()} | ${ids.size} request ids | runs: ${runs}`)
}

await ask('/report', 100)
await ask('/report', 100)
await ask('/rates', 100)
await ask('/health', 20)
await app.herdlock.cache.clear()
await ask('/report', 100)

await app.close()
