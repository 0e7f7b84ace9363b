// How do I keep a cold cache from sending a database more queries than it takes at once?
//
// Look at: `maxLoads`, and what callers get when all slots are taken: a stale value, a place in line, or an `OverloadedError`.
// Run:     npm run example examples/load-limit.ts
//          With REDIS_URL the limit holds for all processes together.
import { setTimeout as delay } from 'node:timers/promises'
import { createCache, OverloadedError } from 'herdlock'
import { Redis } from 'ioredis'

const url = process.env['REDIS_URL']
const redis = url === undefined ? undefined : new Redis(url)
const cache = createCache({
  ttl: 200,
  staleIfError: 60_000,
  maxLoads: 5,
  prefix: `example-${process.pid}`,
  redis,
})

let queries = 0
let most = 0
/** Stands for a query of a database that takes five at once. */
async function query(key: string): Promise<string> {
  most = Math.max(most, ++queries)
  await delay(20)
  queries--
  return `row of ${key}`
}
const read = (key: string, waitTimeout = 30_000): Promise<string> =>
  cache.getOrRefill(key, () => query(key), { waitTimeout })

// After a flush everything is asked for at once.
const keys = Array.from({ length: 100 }, (_, n) => `key ${n}`)
const rows = await Promise.all(keys.map((key) => read(key)))
console.log(`${rows.length} rows, at most ${most} queries at once`)

// Somebody keeps all slots busy. Who has a stale value gets it at once; it may be one that is meant for failures.
await delay(300)
const report = new AbortController()
const slow = keys.slice(0, 5).map((key) =>
  cache.getOrRefill(`report of ${key}`, ({ signal }) => delay(10_000, 'report', { signal }), {
    signal: report.signal,
  }),
)
await delay(50)
const startedAt = performance.now()
console.log(`${await read('key 7')}, stale, ${performance.now() - startedAt < 1000 ? 'at once' : 'late'}`)

// Who has none waits in line, and is sent away when that takes too long: an HTTP server answers 503 with Retry-After.
try {
  await read('another', 100)
} catch (error) {
  if (error instanceof OverloadedError) console.log(`${error.code}, to be tried again: ${error.retryAfter > 0}`)
}

report.abort()
await Promise.allSettled(slow)
await cache.clear()
await cache.close()
await redis?.quit()
