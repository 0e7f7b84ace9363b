// How do I use herdlock with a Redis Cluster?
//
// Look at: that nothing is special but the client. The keys of an entry lie in one slot, entries anywhere; many keys are
//          asked for together, slot by slot; tags work across all nodes.
// Run:     REDIS_URL=redis://localhost:7000 npm run example examples/redis-cluster.ts     (any node of the Cluster)
import { setTimeout as delay } from 'node:timers/promises'
import { createCache, Locker } from 'herdlock'
import { Cluster } from 'ioredis'

const connect = () => new Cluster([process.env['REDIS_URL'] ?? 'redis://localhost:7000'])
const options = { ttl: 60_000, staleWhileRevalidate: 60_000, prefix: 'cluster-example' }

// Two caches, each with a client of its own, stand for two processes.
const [one, other] = [connect(), connect()]
const here = createCache({ ...options, redis: one })
const there = createCache({ ...options, redis: other })
here.on('error', ({ error }) => console.error(error))

let loads = 0
async function loadUser(id: number): Promise<{ id: number; load: number }> {
  const load = ++loads
  await delay(200)
  return { id, load }
}

const ids = Array.from({ length: 30 }, (_, index) => index)
const keyOf = (id: number): string => `user:${id}`

try {
  const everywhere = ids.flatMap((id) =>
    [here, there].map((cache) => cache.getOrRefill(keyOf(id), () => loadUser(id), { tags: ['users'] })),
  )
  await Promise.all(everywhere)
  console.log(`${ids.length} keys asked for in two processes at once, loads: ${loads}`)

  const nodes = one.nodes('master')
  const entries = await Promise.all(nodes.map((node) => node.keys('cluster-example:{*}')))
  console.log(
    `entries: ${entries.flat().length}, on each of the ${nodes.length} masters: ${entries.every(({ length }) => length > 0)}`,
  )

  // Forgotten in all processes, on whatever node it lies.
  await here.invalidateTags('users')
  loads = 0
  let batches = 0
  await here.getOrRefillMany(ids.map(keyOf), async (keys) => {
    batches++
    loads += keys.length
    return new Map(keys.map((key) => [key, { id: Number(key.slice(5)), load: 0 }]))
  })
  console.log(`after an invalidation by tag: ${loads} keys loaded, calls of the loader: ${batches}`)

  // The lock is the same too; its key alone decides on which node it is.
  const locker = new Locker({ clients: one })
  const order: string[] = []
  await Promise.all(
    ['first', 'second'].map((name) =>
      locker.withLock('cluster-example:{lock}', 5_000, async () => void order.push(name), {
        signal: AbortSignal.timeout(5_000),
      }),
    ),
  )
  console.log(`a lock, one after the other: ${order.join()}`)
  await locker.close()
} finally {
  await here.clear()
  await Promise.all([here.close(), there.close()])
  await Promise.all([one.quit(), other.quit()])
}
