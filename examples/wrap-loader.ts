// How do I put a cache in front of an expensive function, so that a hundred callers cost one call?
//
// Look at: `getOrRefill`, for a single call, and `wrap`, for a function; and when a caller waits: only if nothing is stored.
// Run:     npm run example examples/wrap-loader.ts
//          With REDIS_URL all processes share the values, and the one call.
import { setTimeout as delay } from 'node:timers/promises'
import { createCache } from 'herdlock'
import { Redis } from 'ioredis'

const url = process.env['REDIS_URL']
const redis = url === undefined ? undefined : new Redis(url)
const cache = createCache({
  ttl: 1_000,
  staleWhileRevalidate: 60_000,
  prefix: `example-${process.pid}`,
  redis,
})

let loads = 0
/** Stands for a slow query. It stops early when nobody wants its result any more. */
async function loadUser(id: number, signal?: AbortSignal): Promise<{ id: number; name: string; load: number }> {
  loads++
  await delay(200, undefined, { signal })
  return { id, name: `user ${id}`, load: loads }
}

console.log(`cached in ${redis === undefined ? 'memory' : 'memory and Redis'}`)

// One call at a time: the key, and what makes the value.
const user = await cache.getOrRefill('user:1', ({ signal }) => loadUser(1, signal))
console.log('first call', user)

// Or once and for all: a function with the same arguments as the loader.
const getUser = cache.wrap(loadUser, { key: (id) => `user:${id}` })
const users = await Promise.all(Array.from({ length: 100 }, () => getUser(2)))
console.log(`100 calls at once, ${new Set(users.map(({ load }) => load)).size} load`)

// Past its ttl the value is served as it is, at once, while one caller refills it.
await delay(1_100)
const startedAt = performance.now()
const stale = await getUser(2)
console.log(`stale: load ${stale.load}, ${performance.now() - startedAt < 100 ? 'at once' : 'late'}`)

// What has changed is invalidated; the next call loads.
await cache.invalidate('user:2')
const fresh = await getUser(2)
console.log(`invalidated: a newer load, ${fresh.load > stale.load}`)

await cache.clear()
await cache.close()
await redis?.quit()
console.log('closed')
