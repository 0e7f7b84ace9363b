import { setTimeout as delay } from 'node:timers/promises'
import { createCache } from 'herdlock'
import { Redis } from 'ioredis'
import { valueOf } from './values.ts'

export interface BatchSetup {
  readonly url: string
  /** Each round has keys of its own. */
  readonly keys: number
  /** One call for all keys, or a call for each, all in one tick. */
  readonly by: 'one call' | 'single calls'
  readonly rounds: number
}

/** CPU time of this process, in ms, by round. */
export interface Batched {
  readonly herdlock: readonly number[]
  readonly plain: readonly number[]
}

const TTL = 600_000
const SIZE = 100

/** Loads keys that nobody has, until all is stored, in turns with the least that does the same without a lease. */
export async function batches({ url, keys: count, by, rounds }: BatchSetup): Promise<Batched> {
  const redis = new Redis(url)
  const cache = createCache({ ttl: TTL, redis, memory: { maxEntries: (rounds + 1) * count } })
  await cache.getOrRefill('warm-up', () => 'warm')
  while (cache.stats().redis[0]?.messages !== 'connected') await delay(5)
  const load = (keys: readonly string[]): Map<string, unknown> =>
    new Map(keys.map((key) => [key, valueOf(key, SIZE, false)]))
  const batched = async (keys: string[]): Promise<void> => {
    if (by === 'one call') await cache.getOrRefillMany(keys, load)
    else await Promise.all(keys.map((key) => cache.getOrRefill(key, async () => valueOf(key, SIZE, false))))
    while (cache.stats().flights > 0) await delay(1)
  }
  const plain = async (keys: string[]): Promise<void> => {
    const found = await redis.mget(keys)
    const missing = keys.filter((_key, index) => found[index] === null)
    const pipeline = redis.pipeline()
    for (const [key, value] of load(missing)) pipeline.set(key, JSON.stringify(value), 'PX', TTL)
    await pipeline.exec()
  }
  const figures = { herdlock: [] as number[], plain: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    const keys = Array.from({ length: count }, (_, index) => `${round}:${index}`)
    figures.herdlock.push(await cpuTimeOf(() => batched(keys)))
    figures.plain.push(await cpuTimeOf(() => plain(keys)))
  }
  await cache.close()
  redis.disconnect()
  return figures
}

async function cpuTimeOf(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
