import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { expectNothingLeft } from '../../support/left-behind.ts'
import { runExample } from '../../support/run-example.ts'
import { startRedis, type RedisServer } from '../../support/redis-server.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterEach(() => expectNothingLeft(redis))
afterAll(() => redis?.stop())

test('locker.ts takes, waits for, keeps and numbers a lock, and ends by itself', async () => {
  expect(await runExample('locker.ts', { REDIS_URL: redis.url })).toEqual([
    'held elsewhere',
    'woken at the release: true',
    'done in 1500 ms under a lock of 1000 ms',
    'the second holder has the higher number: true',
    'closed',
  ])
})

test('cron-job.ts runs the job in one of three processes, and refuses what an overtaken one writes', async () => {
  const lines = await runExample('cron-job.ts', { REDIS_URL: redis.url })
  expect(lines.slice(0, 2).toSorted()).toEqual(['another process does it', 'done'])
  expect(lines.slice(2)).toEqual([
    'was done already',
    'three processes, runs: 1, stored: all is well',
    'one that was overtaken may store: false',
  ])
})
