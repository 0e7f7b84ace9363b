import express from 'express'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { createServer } from 'node:http'
import {
  compressed,
  createCache,
  Locker,
  LockNotAcquiredError,
  type Cache,
  type CacheOptions,
  type Lock,
  type SharedStream,
} from 'herdlock'
import { dashboard, joinFleet, type Dashboard, type FleetMember } from 'herdlock/dashboard'
import { cacheManager, type CacheManager } from 'herdlock/cache-manager'
import { singleFlight } from 'herdlock/express'
import { singleFlight as onFetch, type Flight } from 'herdlock/fetch'
import { Locker as LockerAlone } from 'herdlock/lock'
import { instrument } from 'herdlock/opentelemetry'
import { collect } from 'herdlock/prometheus'
import { ExecutionError, Redlock } from 'herdlock/redlock'
import { createTestbed, type Testbed, type TestProcess } from 'herdlock/testing'
import { Registry } from 'prom-client'

const options: CacheOptions = { ttl: 30_000, staleWhileRevalidate: 60_000, redis: new Redis() }
const cache: Cache = createCache(options)
createCache({ ttl: 1000, redis: new Redis5() })
createCache({ ttl: 1000, redis: new Cluster([{ host: 'localhost', port: 7000 }]) })
// @ts-expect-error ttl is required
createCache({})
// Whatever may be left out may be undefined: its default counts.
const { PREFIX, REDIS_URL } = process.env
const redis = REDIS_URL === undefined ? undefined : new Redis(REDIS_URL)
const none = undefined
const memory = { maxEntries: none, maxBytes: none, tracking: none, ttl: none }
const windows = { staleWhileRevalidate: none, staleIfError: none }
const perCall = {
  ...windows,
  softTimeout: none,
  waitTimeout: none,
  loadTimeout: none,
  onWaitTimeout: none,
  jitter: none,
}
const rest = { lockTtl: none, commandTimeout: none, negativeTtl: none, earlyExpiration: none, redactKey: none }
createCache({ ttl: 1000, redis, prefix: PREFIX, memory, name: none, codec: none, ...perCall, ...rest })
createCache({ ttl: 1000, memory: none, codec: compressed({ above: none, codec: none }) })
const ofCall = { ...perCall, ttl: none, tags: none, signal: none, negativeTtl: none, codec: none }
export const wrapped = cache.wrap((id: number) => id, { key: String, ...ofCall })
await cache.getOrRefill('user:3', ({ cacheFor }) => cacheFor({ ...windows, ttl: none, tags: none }), ofCall)

export const user: { name: string } = await cache.getOrRefill('user:1', async ({ signal }) => {
  signal.throwIfAborted()
  return { name: 'Ada' }
})
// @ts-expect-error the loader decides the type
export const wrong: number = await cache.getOrRefill('user:2', () => 'text')

for await (const chunk of cache.stream('stream:1', async function* ({ signal, resumeFrom }) {
  signal.throwIfAborted()
  yield { token: resumeFrom }
})) {
  chunk.token satisfies number
}
export const streamed: SharedStream<string> = cache.stream(
  'stream:2',
  async function* () {
    yield 'text'
  },
  {
    onProducerLost: 'resume',
    linger: 1000,
    keep: none,
  },
)
export const body: ReadableStream<Uint8Array> = streamed.readable()
// @ts-expect-error what does not come piece by piece is no stream
cache.stream('stream:3', () => 1)
// @ts-expect-error there are two ways
cache.stream('stream:4', () => streamed, { onProducerLost: 'other' })

const manager: CacheManager = cacheManager(cache.namespace('managed'))
export const managed: number = await manager.wrap('key', () => 1, {
  ttl: (value) => value * 1000,
  refreshThreshold: none,
})
const redlock = new Redlock([new Redis(), new Redis5()], { retryCount: -1 })
redlock.on('error', (error) => console.error(error))
await redlock
  .using(['a', 'b'], 5000, { retryCount: 0 }, async ({ aborted, error }) => [aborted, error])
  .catch((error: unknown) => error instanceof ExecutionError && error.attempts)

const locker = new Locker({ clients: [new Redis(), new Redis5()] })
new LockerAlone({ clients: new Redis(), commandTimeout: none, redactKey: none })
try {
  await locker.prepare({ signal: none })
  const lock: Lock = await locker.tryAcquire('key', 1000, { signal: none, fencing: none, autoExtend: none })
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
instrument({ caches: none, tracerProvider: none, meterProvider: none, recordExceptions: none })
collect(cache, { registry: none, name: none })
const slow: number = cache.stats().loadTime.counts.at(-1) ?? 0
console.log(slow)

const app = express()
app.use(singleFlight())
const ofResponses = { cache: none, ttl: none, ...windows, key: none, keyHeaders: none, ignoreCookies: none }
const limits = { maxBodyBytes: none, maxVariants: none, maxWaiters: none, unsharedFor: none }
app.use(singleFlight({ ...ofResponses, ...limits, targetedFields: none, heuristicFreshness: none }))
dashboard({
  caches: [cache],
  authorize: none,
  allowInvalidate: none,
  path: none,
  refresh: none,
  fleet: none,
  history: none,
})
app.get('/', singleFlight({ ttl: 1000, cache }), (_request, response) => void response.send('hello'))
const page: Dashboard = dashboard({ caches: { main: cache }, authorize: (request) => request.url !== undefined })
app.use('/herdlock', page)
const member: FleetMember = joinFleet({ caches: [cache] })
member.close()
const bare = singleFlight()
createServer((request, response) => bare(request, response, () => response.end('hello')))

const flight: Flight = onFetch({ cache, key: (asked) => new URL(asked.url).pathname, bypass: none })
const answered: Response = await flight(new Request('http://a.example/'), (asked) => new Response(asked.url))
const wrapped2 = flight.wrap(async (asked, info: { address: string }) => new Response(asked.url + info.address))
answered.headers.set('X-Length', String((await wrapped2(new Request('http://a.example/'), { address: 'a' })).status))
await flight(new Request('http://a.example/'), () => answered, { waitUntil: none })
// @ts-expect-error a handler answers with a Response
await flight(new Request('http://a.example/'), () => 'page')
await cache.close()

const testbed: Testbed = createTestbed({ redis: new Redis(), seed: 7 })
const otherProcess: TestProcess = testbed.process()
const inTests: Cache = otherProcess.createCache({ ttl: 1000 })
export const elapsed: Promise<number> = testbed.advance(1000).then(() => testbed.now)
export const asked: Promise<string> = inTests.getOrRefill('key', () => 'value')
// @ts-expect-error its Redis is that of the testbed
testbed.createCache({ ttl: 1000, redis: new Redis() })
