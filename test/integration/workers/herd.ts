import { hostname } from 'node:os'
import { Redis } from 'ioredis'
import { createCache } from '../../../src/cache/create-cache.ts'
import { connectClient, type Library } from '../../support/clients-by-library.ts'
import { addressOf } from '../../support/resp.ts'
import { parent, ready } from '../../support/worker-side.ts'

/**
 * One process of a herd, with a client of the library that it is given: calls `getOrRefill` many times at once when told
 * to. Its loader counts its runs in Redis, where all processes count together, and takes a while or for ever, as told.
 */
const [url, prefix, library] = process.argv.slice(2) as [string, string, Library]
const redis = await connectClient(library, addressOf(url))
const counter = new Redis(url)
const cache = createCache({
  ttl: 60_000,
  staleWhileRevalidate: 60_000,
  redis,
  prefix,
  lockTtl: 1000,
})
// Warm: connections are open, scripts are loaded, the inbox listens.
await cache.getOrRefill(`warm-up:${process.pid}`, () => 'warm')
await counter.ping()
cache.on('error', ({ error }) => parent.send({ type: 'error', message: String(error) }))

ready()
for (;;) {
  const { key, callers, loadTime, ttl } = (await parent.next('call')) as unknown as {
    key: string
    callers: number
    loadTime: number | 'for ever'
    ttl?: number
  }
  const loader = async (): Promise<string> => {
    const run = await counter.incr(`${prefix}:runs:${key}`)
    parent.send({ type: 'loading', run })
    if (loadTime === 'for ever') await new Promise(() => {})
    await new Promise((resolve) => setTimeout(resolve, loadTime as number))
    return `${hostname()}, run ${run}`
  }
  const startedAt = performance.now()
  const options = ttl === undefined ? undefined : { ttl }
  const calls = Array.from({ length: callers }, () => cache.getOrRefill(key, loader, options))
  void Promise.allSettled(calls).then((results) => {
    const took = performance.now() - startedAt
    const values = [
      ...new Set(results.map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason)))),
    ]
    parent.send({ type: 'answered', values, count: results.length, took })
  })
}
