// How do I wrap an API of somebody else that limits my rate, is down at times, and has no answer for some questions?
//
// Look at: `loadRate`: what it returns, throws and says to `cacheFor` for each kind of answer.
// Run:     npm run example examples/third-party-api.ts
//          With REDIS_URL all processes share the answers, and the pause that the API asks for.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { createCache, type LoaderContext } from 'herdlock'
import { Redis } from 'ioredis'

const REDIS_URL = process.env['REDIS_URL']
const redis = REDIS_URL === undefined ? undefined : new Redis(REDIS_URL)
const cache = createCache({
  ttl: 60_000,
  staleIfError: 86_400_000, // yesterday's rate is better than none; after each failure the next attempt waits longer
  negativeTtl: 10_000, // "no such currency" is an answer too, kept for less time
  loadTimeout: 5_000,
  prefix: 'api-example',
  redis,
})

interface Rate {
  currency: string
  rate: number
}

async function loadRate(url: string, { signal, cacheFor }: LoaderContext<Rate | null>): Promise<Rate | null> {
  if (await cache.get('paused')) throw new Error('the API has asked for a pause')
  const response = await fetch(url, { signal })
  if (response.status === 404) return null
  if (response.status === 429) {
    // Whoever loads next, for whatever key and in whatever process, knows before it asks.
    await cache.set('paused', true, { ttl: 1_000 * (Number(response.headers.get('retry-after')) || 1) })
  }
  if (!response.ok) throw new Error(`the API answered ${response.status}`)
  const maxAge = /max-age=(\d+)/.exec(response.headers.get('cache-control') ?? '')?.[1]
  if (maxAge !== undefined) cacheFor({ ttl: 1_000 * Number(maxAge) })
  return (await response.json()) as Rate
}

const getRate = (currency: string): Promise<Rate | null> =>
  cache.getOrRefill(`rate:${currency}`, (context) => loadRate(`${url}/${currency}`, context))

// The API of somebody else.
const api = { requests: 0, mode: 'up' as 'up' | 'limited' | 'down' }
const server = createServer((request, response) => {
  api.requests++
  const currency = request.url?.slice(1) ?? ''
  if (api.mode === 'limited') response.writeHead(429, { 'retry-after': '2' }).end()
  else if (api.mode === 'down') response.writeHead(503).end()
  else if (currency === 'XXX') response.writeHead(404).end()
  else response.setHeader('cache-control', 'max-age=1').end(JSON.stringify({ currency, rate: 1.08 }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function ask(when: string, ...currencies: string[]): Promise<void> {
  const answers = await Promise.allSettled(currencies.map(getRate))
  const texts = answers.map((it) => (it.status === 'fulfilled' ? String(it.value?.rate) : (it.reason as Error).message))
  const counts = [...new Set(texts)].map((text) => `${texts.filter((other) => other === text).length} × ${text}`)
  console.log(`${when}: ${counts.join(', ')} | requests to the API: ${api.requests}`)
}

try {
  await ask('a hundred callers', ...Array.from({ length: 100 }, () => 'EUR'))
  await ask('no such currency, twice', 'XXX')
  await ask('no such currency, twice', 'XXX')

  await delay(1_100) // EUR is stale now
  api.mode = 'limited'
  await ask('over the limit', 'EUR')
  await ask('in the pause, nothing stored', 'USD', 'GBP')
  api.mode = 'down'
  await delay(2_100) // the pause is over
  await ask('the API is down', 'EUR', 'EUR')
  await ask('at once again', 'EUR', 'EUR')
  api.mode = 'up'
  await ask('up again', 'USD')
} finally {
  server.close()
  server.closeAllConnections()
  await cache.clear()
  await cache.close()
  await redis?.quit()
}
