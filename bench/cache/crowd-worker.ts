import { setTimeout as delay } from 'node:timers/promises'
import { createCache, type Cache } from 'herdlock'
import { Redis } from 'ioredis'

export interface CrowdSetup {
  readonly url: string
  readonly prefix: string
  readonly keys: number
  readonly maxLoads: number
  readonly loadTime: number
}

/** What one process of a crowd has done; instants in ms on the clock that all share. */
export interface Crowded {
  readonly loads: readonly (readonly [start: number, end: number])[]
  /** When its last key was there. */
  readonly last: number
}

let opened: { readonly setup: CrowdSetup; readonly cache: Cache; readonly redis: Redis }

const now = (): number => Number(process.hrtime.bigint()) / 1e6

/** A cache of which everything is ready: connections, scripts, the inbox. */
export async function openCrowd(setup: CrowdSetup): Promise<void> {
  const { url, prefix, keys, maxLoads } = setup
  const redis = new Redis(url)
  // Whoever has to wait for all the others waits for as long as it takes.
  const patience = { waitTimeout: 600_000, commandTimeout: 10_000 }
  const cache = createCache({ ttl: 600_000, redis, prefix, maxLoads, memory: { maxEntries: 2 * keys }, ...patience })
  opened = { setup, cache, redis }
  await cache.getOrRefill(`warm-up ${process.pid}`, () => 'warm')
  while (cache.stats().redis[0]?.messages !== 'connected') await delay(5)
}

export async function crowd(at: bigint): Promise<Crowded> {
  const { setup, cache, redis } = opened
  const loads: [number, number][] = []
  const load = async (): Promise<{ rows: number }> => {
    const start = now()
    await delay(setup.loadTime)
    loads.push([start, now()])
    return { rows: 3 }
  }
  await delay(Math.max(Number(at) / 1e6 - now(), 0))
  await Promise.all(Array.from({ length: setup.keys }, (_, n) => cache.getOrRefill(`key:${n}`, load)))
  const last = now()
  await cache.close()
  redis.disconnect()
  return { loads, last }
}
