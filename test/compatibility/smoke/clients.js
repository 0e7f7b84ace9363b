import { Redis } from 'ioredis'
import { createClient } from 'redis'

/** A client of each kind for the Redis at `url`, connected. */
export async function openClients(url) {
  const ioredis = new Redis(url)
  const nodeRedis = createClient({ url })
  nodeRedis.on('error', () => {}) // it would end the process
  await Promise.all([ioredis.ping(), nodeRedis.connect()])
  return {
    url,
    ioredis,
    'node-redis': nodeRedis,
    async close() {
      await ioredis.quit()
      await nodeRedis.close()
    },
  }
}
