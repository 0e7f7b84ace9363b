import { Cluster, Redis } from 'ioredis'
import { createCache } from '../../../src/cache/create-cache.ts'
import { Locker } from '../../../src/lock/locker.ts'
import { connectGlide, connectGlideCluster } from '../../support/glide-clients.ts'

/** Uses a cache or a locker, closes its client alone, and has nothing more to do. */
const [what, how, port] = process.argv.slice(2) as [string, 'quit' | 'disconnect' | 'close', string]
const address = { host: '127.0.0.1', port: Number(port) }
const client = await connect()

async function connect() {
  if (what === 'glide-cluster') return connectGlideCluster([address])
  if (what.startsWith('glide')) return connectGlide(address)
  return what === 'cluster' ? new Cluster([address]) : new Redis(address)
}

if (what.endsWith('locker')) {
  const locker = new Locker({ clients: client })
  const lock = await locker.acquire('client-end', 60_000)
  const waited = locker.acquire('client-end', 60_000) // waiting is what opens its subscriber
  await new Promise((resolve) => setTimeout(resolve, 200))
  await lock.release()
  await (await waited).release()
} else {
  const cache = createCache({ ttl: 60_000, redis: client })
  await cache.getOrRefill('client-end', () => 1)
  while (cache.stats().redis[0]?.messages !== 'connected') await new Promise((resolve) => setTimeout(resolve, 20))
}
await (client as unknown as Record<typeof how, () => unknown>)[how]()
console.log('closed')
