import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { expectNothingLeft } from '../../support/left-behind.ts'
import { startPostgres } from '../../support/postgres-server.ts'
import { runExample } from '../../support/run-example.ts'
import { startRedis, type RedisServer } from '../../support/redis-server.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterEach(() => expectNothingLeft(redis))
afterAll(() => redis?.stop())

test.each(['memory', 'memory and Redis'])('wrap-loader.ts loads once for a hundred callers in %s', async (where) => {
  const lines = await runExample('wrap-loader.ts', where === 'memory' ? {} : { REDIS_URL: redis.url })
  expect(lines).toEqual([
    `cached in ${where}`,
    "first call { id: 1, name: 'user 1', load: 1 }",
    '100 calls at once, 1 load',
    'stale: load 2, at once',
    'invalidated: a newer load, true',
    'closed',
  ])
})

test.each(['memory', 'memory and Redis'])(
  'deploy.ts refills a few pages at a time, while nobody waits, in %s',
  async (where) => {
    expect(await runExample('deploy.ts', where === 'memory' ? {} : { REDIS_URL: redis.url })).toEqual([
      'before: page 0 of v1, rendered at once: 200',
      'after: page 0 of v2, rendered at once: never all',
      'a visitor waited for a page: never',
    ])
  },
)

test.each(['memory', 'memory and Redis'])(
  'shared-stream.ts asks a model once for 100 readers, in %s',
  async (where) => {
    const text = 'Once upon a time a herd was told a story '
    expect(await runExample('shared-stream.ts', where === 'memory' ? {} : { REDIS_URL: redis.url })).toEqual([
      'the first word comes first: Once ',
      `100 readers: 1 text: ${text}`,
      'asked: 1',
      `later: ${text}`,
      'asked: 1',
      'asked: 2 | paid for all words of the second: false',
    ])
  },
)

test.each(['memory', 'memory and Redis'])('failures.ts asks once for what there is none of, in %s', async (where) => {
  expect(await runExample('failures.ts', where === 'memory' ? {} : { REDIS_URL: redis.url })).toEqual([
    'Ada | requests: 1',
    'ApiError: status 404 | requests: 2',
    'remembered: ApiError | requests: 2',
    'Grace | requests: 3',
  ])
})

test.each(['memory', 'memory and Redis'])(
  'load-limit.ts runs five queries at once, serves what is stale, and sends the rest away, in %s',
  async (where) => {
    expect(await runExample('load-limit.ts', where === 'memory' ? {} : { REDIS_URL: redis.url })).toEqual([
      '100 rows, at most 5 queries at once',
      'row of key 7, stale, at once',
      'OVERLOADED, to be tried again: true',
    ])
  },
)

const sqlLines = (database: string, where: string): string[] => [
  `${database}, cached in ${where}`,
  '100 callers, queries: 1',
  'again, and another list, queries: 2',
  'after an order of customer 7, queries: 3',
]

test('sql-loader.ts sends one query to SQLite for a hundred callers, and another after a write', async () => {
  expect(await runExample('sql-loader.ts')).toEqual(sqlLines('SQLite', 'memory'))
})

test('sql-loader.ts does the same with a PostgreSQL, and a Redis', { timeout: 60_000 }, async () => {
  const postgres = await startPostgres()
  try {
    const env = { DATABASE_URL: postgres.url, REDIS_URL: redis.url }
    expect(await runExample('sql-loader.ts', env)).toEqual(sqlLines('PostgreSQL', 'Redis'))
  } finally {
    await postgres.stop()
  }
})

test('value-shapes.ts loads anew what the last release has stored in another shape, or leaves it alone', async () => {
  expect(await runExample('value-shapes.ts', { REDIS_URL: redis.url })).toEqual([
    'user:7 is loaded anew, for it has 2 issues',
    'Ada Lovelace',
    'a loader made what is not valid: last',
    "version 2 has { first: 'Alan', last: 'Turing' }",
    "the last release has { name: 'Alan Turing' }",
    'closed',
  ])
})

test('third-party-api.ts asks the API once, remembers "no", and leaves it alone when it is told to or the API is down', async () => {
  expect(await runExample('third-party-api.ts', { REDIS_URL: redis.url })).toEqual([
    'a hundred callers: 100 × 1.08 | requests to the API: 1',
    'no such currency, twice: 1 × undefined | requests to the API: 2',
    'no such currency, twice: 1 × undefined | requests to the API: 2',
    'over the limit: 1 × 1.08 | requests to the API: 3',
    'in the pause, nothing stored: 2 × the API has asked for a pause | requests to the API: 3',
    'the API is down: 2 × 1.08 | requests to the API: 4',
    'at once again: 2 × 1.08 | requests to the API: 4',
    'up again: 1 × 1.08 | requests to the API: 5',
  ])
})
