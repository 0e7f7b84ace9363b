// How do I change the shape of what is cached, so that the next release never reads what the last one has stored?
//
// Look at: `schema`, by which a value of another shape is not there, and is loaded anew; and `version`, which keeps the
//          values of two releases apart while both run.
// Run:     REDIS_URL=redis://localhost:6379 npm run example examples/value-shapes.ts
import { createCache, InvalidValueError } from 'herdlock'
import { Redis } from 'ioredis'
import { z } from 'zod'

const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://localhost:6379')
const shared = { ttl: 60_000, prefix: `example-${process.pid}`, redis, memory: false } as const

// The last release has stored a user with one name.
const last = createCache(shared)
await last.getOrRefill('user:7', () => ({ name: 'Ada Lovelace' }))
await last.set('user:8', { name: 'Alan Turing' })

// The next one knows users with two. What comes from elsewhere is unknown: the schema says what it must be.
const User = z.object({ first: z.string(), last: z.string() })
const fetchUser = async (): Promise<unknown> => ({ first: 'Ada', last: 'Lovelace' })

// With a schema, what the last release has stored is not there, and is replaced.
const next = createCache({ ...shared, schema: User })
next.on('invalid', ({ key, issues }) => console.log(`${key} is loaded anew, for it has ${issues.length} issues`))
const user = await next.getOrRefill('user:7', fetchUser)
console.log(`${user.first} ${user.last}`)
try {
  await next.getOrRefill('user:9', async () => ({ first: 'Grace' }))
} catch (error) {
  if (!(error instanceof InvalidValueError)) throw error
  console.log(
    `a loader made what is not valid: ${error.issues.map(({ path = [] }) => path.map(String).join('.')).join()}`,
  )
}

// With a version besides, neither release touches what the other one has.
const beside = createCache({ ...shared, schema: User, version: 2 })
await beside.getOrRefill('user:8', async () => ({ first: 'Alan', last: 'Turing' }))
console.log('version 2 has', await beside.get('user:8'))
console.log('the last release has', await last.get('user:8'))

await last.clear() // all versions
await Promise.all([last, next, beside].map((cache) => cache.close()))
await redis.quit()
console.log('closed')
