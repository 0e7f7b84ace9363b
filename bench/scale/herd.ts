import { setTimeout as sleep } from 'node:timers/promises'
import { createCache } from 'herdlock'
import { Redis } from 'ioredis'
import type { RedisServer } from '../../test/support/redis-server.ts'
import { PREFIX } from './changes.ts'
import { Fleet } from './fleet.ts'
import { spentOn } from './redis-thread.ts'

/** ms after which a herd counts as served, whatever is missing. */
const PATIENCE = 30_000

/** ms of Redis's thread until all of a fleet, who wait for one key, have its value of `bytes`. */
export async function measureHerd(server: RedisServer, size: number, bytes: number): Promise<number> {
  const fleet = await Fleet.open(size, [server.port])
  await fleet.all({ do: 'subscribe', channels: [] })
  const redis = new Redis(server.url)
  const cache = createCache({ ttl: 600_000, redis, prefix: PREFIX, commandTimeout: 60_000, memory: false, codec: RAW })
  try {
    const { busy } = await spentOn([server], async () => {
      await cache.getOrRefill('herd', async () => {
        const inboxes = Array.from({ length: size }, (_, n) => n)
        for (let from = 0; from < size; from += 1000) {
          await server.command('SADD', `${PREFIX}:{herd}:waiters`, ...inboxes.slice(from, from + 1000))
        }
        return Buffer.alloc(bytes, 'v')
      })
      const startedAt = performance.now()
      for (let served = 0; served < size && performance.now() - startedAt < PATIENCE;) {
        await sleep(100)
        const heard = await fleet.heard()
        served += Math.round(heard.bytes / bytes) + heard.looks
      }
    })
    return busy
  } finally {
    await cache.close()
    redis.disconnect()
    await fleet.close()
  }
}

const RAW = {
  encode: (value: unknown): Buffer => value as Buffer,
  decode: (bytes: Uint8Array): unknown => Buffer.from(bytes),
}
