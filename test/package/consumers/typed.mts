import express from 'express'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { createServer } from 'node:http'
import { createCache, Locker, LockNotAcquiredError, type Cache, type CacheOptions, type Lock } from 'herdlock'
import { dashboard, type Dashboard } from 'herdlock/dashboard'
import { singleFlight } from 'herdlock/express'
import { Locker as LockerAlone } from 'herdlock/lock'
import { instrument } from 'herdlock/opentelemetry'
import { collect } from 'herdlock/prometheus'
import { Registry } from 'prom-client'

const options: CacheOptions = { ttl: 30_000, staleWhileRevalidate: 60_000, redis: new Redis() }
const cache: Cache = createCache(options)
createCache({ ttl: 1000, redis: new Redis5() })
createCache({ ttl: 1000, redis: new Cluster([{ host: 'localhost', port: 7000 }]) })
// @ts-expect-error ttl is required
createCache({})

export const user: { name: string } = await cache.getOrRefill('user:1', async ({ signal }) => {
  signal.throwIfAborted()
  return { name: 'Ada' }
})
// @ts-expect-error the loader decides the type
export const wrong: number = await cache.getOrRefill('user:2', () => 'text')

const locker = new Locker({ clients: [new Redis(), new Redis5()] })
new LockerAlone({ clients: new Redis() })
try {
  const lock: Lock = await locker.tryAcquire('key', 1000, { signal: AbortSignal.timeout(100) })
  await lock.release()
} catch (error) {
  if (!(error instanceof LockNotAcquiredError)) throw error
  const code: string = error.code
  console.log(code)
}

const stopTelling: () => void = instrument({ caches: [cache] })
const stopCollecting: () => void = collect(cache, { registry: new Registry(), name: 'users' })
stopTelling()
stopCollecting()
const slow: number = cache.stats().loadTime.counts.at(-1) ?? 0
console.log(slow)

const app = express()
app.use(singleFlight())
app.get('/', singleFlight({ ttl: 1000, cache }), (_request, response) => void response.send('hello'))
const page: Dashboard = dashboard({ caches: { main: cache }, authorize: (request) => request.url !== undefined })
app.use('/herdlock', page)
const bare = singleFlight()
createServer((request, response) => bare(request, response, () => response.end('hello')))
await cache.close()
