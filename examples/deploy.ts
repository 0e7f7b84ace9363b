// How do I make a deploy show everywhere soon, without a herd of refills and without a slow page?
//
// Look at: `expireTags` with `over`. Each entry expires at a moment of its own within that time; until it is refilled,
//          everybody is served the old one.
// Run:     npm run example examples/deploy.ts
//          With REDIS_URL what one process expires, expires for all.
import { setTimeout as pause } from 'node:timers/promises'
import { createCache } from 'herdlock'
import { Redis } from 'ioredis'

const { REDIS_URL } = process.env
const redis = REDIS_URL === undefined ? undefined : new Redis(REDIS_URL)
const cache = createCache({ ttl: 3_600_000, staleWhileRevalidate: 600_000, prefix: 'deploy-example', redis })

let release = 'v1'
let rendering = 0
let most = 0

async function render(page: number): Promise<string> {
  most = Math.max(most, ++rendering)
  await pause(20)
  rendering--
  return `page ${page} of ${release}`
}

/** A visitor must not wait, so that `slowest` is what matters. */
let slowest = 0
async function visit(page: number): Promise<string> {
  const from = performance.now()
  const body = await cache.getOrRefill(`page:${page}`, () => render(page), { tags: ['pages'] })
  slowest = Math.max(slowest, performance.now() - from)
  return body
}

const pages = Array.from({ length: 200 }, (_, page) => page)
await Promise.all(pages.map(visit))
console.log(`before: ${await visit(0)}, rendered at once: ${most}`)

release = 'v2'
slowest = most = 0
await cache.expireTags('pages', { over: 2000 }) // an hour would be more like it
let bodies: string[] = []
const isOld = (body: string): boolean => body.endsWith('v1')
do {
  await pause(10)
  bodies = await Promise.all(pages.map(visit)) // visitors all the while
} while (bodies.some(isOld))

console.log(`after: ${bodies[0]}, rendered at once: ${most < pages.length ? 'never all' : 'all'}`)
console.log(`a visitor waited for a page: ${slowest > 500 ? `${slowest} ms` : 'never'}`)

await cache.clear()
await cache.close()
await redis?.quit()
