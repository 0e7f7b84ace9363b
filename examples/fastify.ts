// How do I use getOrRefill in Fastify?
//
// Look at: the plugin, which gives the cache to all routes and closes it with the server.
// Run:     npm run example examples/fastify.ts
import { setTimeout as delay } from 'node:timers/promises'
import fastify, { type FastifyInstance } from 'fastify'
import { type Cache, type CacheOptions, createCache } from 'herdlock'

declare module 'fastify' {
  interface FastifyInstance {
    cache: Cache
  }
}

async function cachePlugin(app: FastifyInstance, options: CacheOptions): Promise<void> {
  const cache = createCache(options)
  cache.on('error', ({ error }) => app.log.error(error)) // what costs no caller an answer is told here
  app.decorate('cache', cache)
  app.addHook('onClose', () => cache.close())
}
// Without this, only the plugin itself would see `app.cache`. The package fastify-plugin does the same.
Object.assign(cachePlugin, { [Symbol.for('skip-override')]: true })

const app = fastify({ logger: { level: 'error' } })
await app.register(cachePlugin, { ttl: 30_000, staleWhileRevalidate: 60_000, negativeTtl: 1_000 })

let queries = 0
async function findUser(id: string, signal: AbortSignal): Promise<{ id: string; name: string } | null> {
  queries++
  await delay(200, undefined, { signal }) // stops when nobody wants its result any more
  return id === '1' ? { id, name: 'Ada' } : null
}

app.get<{ Params: { id: string } }>('/users/:id', async (request, reply) => {
  const { id } = request.params
  const user = await app.cache.getOrRefill(`user:${id}`, ({ signal }) => findUser(id, signal))
  return user ?? reply.code(404).send({ error: 'no such user' })
})

app.delete<{ Params: { id: string } }>('/users/:id', async (request, reply) => {
  await app.cache.invalidate(`user:${request.params.id}`) // after the change, before the answer
  return reply.code(204).send()
})

const url = await app.listen({ port: 0, host: '127.0.0.1' })

async function ask(path: string, count: number): Promise<void> {
  queries = 0
  const responses = await Promise.all(Array.from({ length: count }, () => fetch(url + path)))
  const bodies = await Promise.all(responses.map(async (response) => `${response.status} ${await response.text()}`))
  console.log(`${count} × ${path}: ${[...new Set(bodies)].join()} | queries: ${queries}`)
}

await ask('/users/1', 100)
await ask('/users/1', 100)
await ask('/users/2', 100)
await fetch(`${url}/users/1`, { method: 'DELETE' })
await ask('/users/1', 100)

await app.close()
