// How do I keep callers from asking again and again for what has just failed?
//
// Look at: `failureTtl`, a function of the error: "no such user" is remembered for a minute, a timeout for a second.
// Run:     npm run example examples/failures.ts
//          With REDIS_URL what failed in one process is remembered in all.
import { createCache, RefillFailedError } from 'herdlock'
import { Redis } from 'ioredis'

/** What the API of the example answers when it refuses. */
class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number

  constructor(status: number) {
    super(`status ${status}`)
    this.status = status
  }
}

const { REDIS_URL } = process.env
const redis = REDIS_URL === undefined ? undefined : new Redis(REDIS_URL)
const cache = createCache({
  ttl: 60_000,
  failureTtl: (error) => (error instanceof ApiError && error.status === 404 ? 60_000 : 1000),
  prefix: 'failures-example',
  redis,
})

const users = new Map([['1', 'Ada']])
let requests = 0
async function fetchUser(id: string): Promise<string> {
  requests++
  const name = users.get(id)
  if (name === undefined) throw new ApiError(404)
  return name
}

async function ask(id: string): Promise<string> {
  try {
    return await cache.getOrRefill(`user:${id}`, () => fetchUser(id))
  } catch (error) {
    // The process whose loader failed gets the error itself, once; all who come later are told of it.
    if (error instanceof RefillFailedError) return `remembered: ${error.remoteName}`
    return String(error)
  }
}

console.log(await ask('1'), '| requests:', requests)
console.log(await ask('2'), '| requests:', requests)
for (let i = 0; i < 1000; i++) await ask('2')
console.log(await ask('2'), '| requests:', requests)

users.set('2', 'Grace')
await cache.invalidate('user:2') // so do set and expire
console.log(await ask('2'), '| requests:', requests)

await cache.clear()
await cache.close()
await redis?.quit()
