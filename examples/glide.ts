// How do I use herdlock with GLIDE, the client of the Valkey project?
//
// Look at: `requestTimeout`, without which GLIDE waits for 250 ms only. A `GlideClusterClient` is handed over the same way.
//          Processes with GLIDE and with other clients share entries, messages and locks.
// Run:     REDIS_URL=redis://localhost:6379 npm run example examples/glide.ts
import { setTimeout as delay } from 'node:timers/promises'
import { GlideClient } from '@valkey/valkey-glide'
import { createCache, Locker } from 'herdlock'
import { createClient } from 'redis'

const url = process.env['REDIS_URL'] ?? 'redis://localhost:6379'
const { hostname, port } = new URL(url)
const glide = await GlideClient.createClient({
  addresses: [{ host: hostname, port: Number(port) }],
  requestTimeout: 1000,
})

// Another process, where node-redis is in use.
const nodeRedis = createClient({ url })
nodeRedis.on('error', (error) => console.error(error))
await nodeRedis.connect()

const options = { ttl: 60_000, prefix: 'glide-example' }
const here = createCache({ ...options, redis: glide })
const there = createCache({ ...options, redis: nodeRedis })

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

  const locker = new Locker({ clients: glide })
  await locker.withLock('glide-example:{lock}', 5_000, ({ key }) => console.log(`holds ${key}`))
  await locker.close()
} finally {
  await here.clear()
  await Promise.all([here.close(), there.close()])
  glide.close()
  await nodeRedis.close()
}
