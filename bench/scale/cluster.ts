import { setTimeout as sleep } from 'node:timers/promises'
import { createCache } from 'herdlock'
import { Cluster } from 'ioredis'
import type { startCluster } from '../../test/support/redis-cluster.ts'
import type { RedisServer } from '../../test/support/redis-server.ts'
import { PREFIX } from './changes.ts'
import { Fleet } from './fleet.ts'
import { spentOn } from './redis-thread.ts'

/** ms of the busiest master's thread for one change, with `size` processes that spread over the masters. */
export async function measureClusterChanges(
  { addresses }: Awaited<ReturnType<typeof startCluster>>,
  masters: readonly RedisServer[],
  size: number,
): Promise<number> {
  const fleet = await Fleet.open(
    size,
    masters.map(({ port }) => port),
  )
  await fleet.all({ do: 'subscribe', channels: [`${PREFIX}:backplane`] })
  const redis = new Cluster([...addresses])
  const cache = createCache({ ttl: 600_000, redis, prefix: PREFIX, commandTimeout: 60_000 })
  const count = Math.max(10, Math.min(200, Math.round(100_000 / size)))
  try {
    await cache.set('key', 'value')
    const { busy } = await spentOn(masters, async () => {
      for (let n = 0; n < count; n++) {
        await cache.set(`key ${n}`, 'value')
        await sleep(3)
      }
    })
    return busy / count
  } finally {
    await cache.close()
    redis.disconnect()
    await fleet.close()
  }
}
