// How do I use herdlock with node-redis?
//
// Look at: that you make the client, listen to its errors and connect it, as node-redis wants it; everything else is as with
//          ioredis, whose processes share with yours. A Cluster, a Sentinel or a pool of node-redis is handed over the same way.
// Run:     REDIS_URL=redis://localhost:6379 npm run example examples/node-redis.ts
import { setTimeout as delay } from 'node:timers/promises'
import { createCache, Locker } from 'herdlock'
import { createClient } from 'redis'

async function connect() {
  const client = createClient({ url: process.env['REDIS_URL'] ?? 'redis://localhost:6379' })
  client.on('error', (error) => console.error(error)) // without a listener it would end the process
  await client.connect()
  return client
}

// Two caches, each with a client of its own, stand for two processes.
const [one, other] = [await connect(), await connect()]
const options = { ttl: 60_000, prefix: 'node-redis-example' }
const here = createCache({ ...options, redis: one })
const there = createCache({ ...options, redis: other })

let loads = 0
async function loadUser(): Promise<{ name: string }> {
  loads++
  await delay(200)
  return { name: 'Ada' }
}

try {
  const calls = [here, there].flatMap((cache) =>
    Array.from({ length: 100 }, () => cache.getOrRefill('user:1', loadUser)),
  )
  const users = await Promise.all(calls)
  console.log(`${users.length} callers in two processes, all have ${users.at(-1)?.name}, loads: ${loads}`)

  await there.set('user:1', { name: 'Grace' })
  while (here.peek<{ name: string }>('user:1')?.name === 'Ada') await delay(5)
  console.log(`changed there, here is ${(await here.getOrRefill('user:1', loadUser)).name}, loads: ${loads}`)

  const locker = new Locker({ clients: one })
  await locker.withLock('node-redis-example:{lock}', 5_000, ({ key }) => console.log(`holds ${key}`))
  await locker.close()
} finally {
  await here.clear()
  await Promise.all([here.close(), there.close()])
  await Promise.all([one.close(), other.close()])
}
