import { afterAll, beforeAll, expect, test } from 'vitest'
import { runExample } from '../../support/run-example.ts'
import { runProgram } from '../../support/run-program.ts'
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

test('dashboard.ts shows its cache to this machine, and ends although somebody looks', async () => {
  const app = await runProgram('examples/dashboard.ts', [], { PORT: '0', REDIS_URL: undefined })
  const [url] = /http:[^\s:]+:\d+/.exec(await app.line('listening on')) as RegExpExecArray
  expect(await (await fetch(`${url}/price/1`)).json()).toEqual({ id: '1', cents: 101 })
  const page = await fetch(`${url}/herdlock`) // sends on to the page itself
  expect(page).toMatchObject({ status: 200, url: `${url}/herdlock/` })
  const found = await fetch(`${url}/herdlock/key?cache=prices&key=price:1`)
  expect(await found.json()).toMatchObject({ key: 'price:1', tier: 'memory', memory: { tags: ['prices'] } })
  const viewer = await fetch(`${url}/herdlock/events`)
  expect(viewer.status).toBe(200)
  app.kill('SIGTERM')
  expect(await app.exited).toEqual({ code: 0, signal: null })
  expect(await viewer.text()).toContain('event: update')
  expect(app.output).toContain('closed')
  expect(app.errors).toBe('')
})
