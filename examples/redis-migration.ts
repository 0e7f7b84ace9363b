// How do I move from one Redis to another, under load, without a herd and without a pause?
//
// Look at: the two deployments. Who names both takes the lease in both and writes to both; so it excludes those that
//          still name only the old one as well as those that name only the new one already.
// Run:     REDIS_URL=redis://localhost:6379 NEXT_REDIS_URL=redis://localhost:6380 npm run example examples/redis-migration.ts
import { setTimeout as delay } from 'node:timers/promises'
import { createCache } from 'herdlock'
import { Redis } from 'ioredis'

const old = new Redis(process.env['REDIS_URL'] ?? 'redis://localhost:6379')
const next = new Redis(process.env['NEXT_REDIS_URL'] ?? 'redis://localhost:6380')
const PREFIX = 'migration-example'
const PROCESSES = 4
const KEYS = ['a', 'b', 'c']

const counts = { calls: 0, loads: 0, mostAtOnce: 0 }
const loading = new Map<string, number>()

async function load(key: string, signal: AbortSignal): Promise<string> {
  counts.loads++
  const atOnce = (loading.get(key) ?? 0) + 1
  loading.set(key, atOnce)
  counts.mostAtOnce = Math.max(counts.mostAtOnce, atOnce)
  try {
    return await delay(100, `value of ${key}`, { signal })
  } finally {
    loading.set(key, (loading.get(key) as number) - 1)
  }
}

type Stop = () => Promise<void>

/** Stands for a process of the app: calls all the time. */
function startProcess(redis: Redis[]): Stop {
  const cache = createCache({ ttl: 100, staleWhileRevalidate: 60_000, prefix: PREFIX, redis })
  cache.on('error', ({ error }) => console.error(error))
  let stopping = false
  async function serve(): Promise<void> {
    while (!stopping) {
      await Promise.all(KEYS.map((key) => cache.getOrRefill(key, ({ signal }) => load(key, signal))))
      counts.calls += KEYS.length
      await delay(5)
    }
  }
  const served = serve()
  return async () => {
    stopping = true
    await served
    await cache.close() // aborts refills in the background, and gives their leases to the others
  }
}

/** Replaces one process after the other, as a rolling deployment does. */
async function deploy(processes: readonly Stop[], redis: Redis[]): Promise<Stop[]> {
  const replaced: Stop[] = []
  for (const stop of processes) {
    replaced.push(startProcess(redis))
    await stop()
    await delay(200)
  }
  return replaced
}

async function report(phase: string): Promise<void> {
  const kept = await Promise.all([old, next].map(async (redis) => (await redis.keys(`${PREFIX}:{?}`)).length))
  console.log(
    `${phase}: at most ${counts.mostAtOnce} load of a key at once; entries in old and next: ${kept.join(', ')}`,
  )
}

let processes = Array.from({ length: PROCESSES }, () => startProcess([old]))
await delay(500)
await report('old')

processes = await deploy(processes, [old, next]) // the same order everywhere
await report('old and next')

processes = await deploy(processes, [next]) // only when nobody names `old` alone any more
await report('next')

await Promise.all(processes.map((stop) => stop()))
console.log(`every call was answered, fewer than one in ten by a load: ${counts.loads * 10 < counts.calls}`)

const cleaner = createCache({ ttl: 1, prefix: PREFIX, redis: [old, next] })
await cleaner.clear()
await cleaner.close()
await Promise.all([old.quit(), next.quit()])
