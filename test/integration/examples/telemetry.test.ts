import { afterAll, beforeAll, expect, test } from 'vitest'
import { runExample } from '../../support/run-example.ts'
import { startRedis, type RedisServer } from '../../support/redis-server.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis?.stop())

test('opentelemetry.ts shows the spans of a refill below its caller, and what the cache counted', async () => {
  expect(await runExample('opentelemetry.ts')).toEqual([
    'GET /users/1',
    '  herdlock.refill user:* loaded',
    '    SELECT users',
    'herdlock.cache.requests hit memory 1',
    'herdlock.cache.requests miss 1',
    'herdlock.cache.requests coalesced 99',
    'closed',
  ])
})

test('opentelemetry.ts shows the claim in Redis as part of the refill', async () => {
  const lines = await runExample('opentelemetry.ts', { REDIS_URL: redis.url })
  const refill = lines.indexOf('  herdlock.refill user:* loaded')
  expect(lines.slice(refill + 1, refill + 3)).toEqual(['    herdlock.claim user:*', '    SELECT users'])
})
