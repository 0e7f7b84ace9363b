import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { expectNothingLeft } from '../../support/left-behind.ts'
import { runExample } from '../../support/run-example.ts'
import { runProgram } from '../../support/run-program.ts'
import { startRedis, type RedisServer } from '../../support/redis-server.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis?.stop())

test('express-app.ts runs a handler once for a herd, keeps what is missing, shares nothing private, survives a failure', async () => {
  const lines = await runExample('express-app.ts')
  const ttl = /ttl=(\d+)$/
  expect(lines.map((line) => line.replace(ttl, 'ttl=n'))).toEqual([
    '50 requests at once, handler runs: 1',
    '/products 200 ["tea","coffee"] | herdlock; hit; ttl=n',
    '/products/1 200 {"name":"tea"} | herdlock; fwd=uri-miss; fwd-status=200; stored',
    '/products/9 404 {} | herdlock; fwd=uri-miss; fwd-status=404; stored',
    '/products/9 404 {} | herdlock; hit; ttl=n',
    'one product, and one that is missing twice, handler runs: 2',
    '/account 200 {"user":"Ada"} | herdlock; fwd=uri-miss; fwd-status=200; detail=private',
    '/account 200 {"user":"Grace"} | herdlock; fwd=uri-miss; fwd-status=200; detail=private',
    '/prices 200 {"tea":3} | herdlock; fwd=uri-miss; fwd-status=200; stored',
    expect.stringMatching(/^\/prices 200 \{"tea":3\} \| herdlock; hit; ttl=-\d/),
    'the handler has failed meanwhile, handler runs: 2',
  ])
})

test('html-site.ts shares pages among visitors, and none of those who are signed in', async () => {
  expect(await runExample('html-site.ts')).toEqual([
    'visitors: 20 requests, 1 renders, pages: Sign in',
    'visitors, Ada and Grace: 23 requests, 3 renders, pages: Hello Ada / Hello Grace / Sign in',
    'visitors afterwards: 20 requests, 0 renders, pages: Sign in',
    'Ada, signed out: 1 requests, 0 renders, pages: Sign in',
  ])
})

test('in-front.ts lets nothing into the app that is kept', async () => {
  expect(await runExample('in-front.ts')).toEqual([
    'cold: 100 requests, status 200, entered the app: 1',
    'kept: 100 requests, status 200, entered the app: 0',
    'not to be kept: 100 requests, status 200, entered the app: 100',
    'changed: 1 requests, status 204, entered the app: 1',
    'after the change: 100 requests, status 200, entered the app: 1',
  ])
})

test('tags-purge.ts forgets by tag the pages and the data that a change concerns, and nothing else', async () => {
  expect(await runExample('tags-purge.ts', { REDIS_URL: redis.url })).toEqual([
    'at first ran: page of product 1, page of product 3, query of drinks, query of food, query of product 1, ' +
      'query of product 3 | {"id":"1","category":"drinks","name":"tea"} ["tea","coffee"]',
    'again ran: nothing | {"id":"1","category":"drinks","name":"tea"} ["tea","coffee"]',
    'after a change of product 1 ran: page of product 1, query of drinks, query of product 1 | ' +
      '{"id":"1","category":"drinks","name":"chai"} ["chai","coffee"]',
    'purges of product 3: 403, 204',
    'after the purge ran: page of product 3, query of food, query of product 3 | ' +
      '{"id":"1","category":"drinks","name":"chai"} ["chai","coffee"]',
  ])
  await expectNothingLeft(redis)
})

test.each(['memory', 'Redis'])('graceful-shutdown.ts in %s answers all that is under way, then ends', async (where) => {
  const REDIS_URL = where === 'Redis' ? redis.url : undefined
  const app = await runProgram('examples/graceful-shutdown.ts', [], { REDIS_URL, PORT: '0' })
  const url = new URL(/http:\S+/.exec(await app.line('listening on'))?.[0] as string)
  const requests = ['/report', '/report', '/report', '/rates/eur', '/rates/eur'].map((path) =>
    fetch(new URL(path, url)),
  )
  await Promise.all([app.line('report'), app.line('rate')])

  app.kill('SIGTERM')
  await app.line('ending')
  const refused = connect(Number(url.port), url.hostname)
  expect(await once(refused, 'error')).toMatchObject([{ code: 'ECONNREFUSED' }])

  const answers = await Promise.all(requests.map(async (request) => (await request).json()))
  expect(answers).toEqual([{ run: 1 }, { run: 1 }, { run: 1 }, { rate: 1.08 }, { rate: 1.08 }])
  expect(await app.exited).toEqual({ code: 0, signal: null })
  expect(app.output.trimEnd().split('\n').slice(1)).toEqual(
    expect.arrayContaining(['report, run 1', 'rate', 'ending', 'ended']),
  )
  expect(app.output.match(/^(report|rate)/gm)).toHaveLength(2)
  expect(app.errors).toBe('')
  await eventually('nothing of it is left', () => !app.isAlive())
  expect(await redis.command('KEYS', '*:lease')).toEqual([])
})

test('fetch.ts runs once for a hundred requests although the first client leaves, and each of twenty users has its own', async () => {
  expect(await runExample('fetch.ts')).toEqual([
    'the first client has left',
    '100 × /report: 1 different answers | runs: 1',
    '100 × /report: 1 different answers | runs: 0',
    '20 × /account: 20 different answers | runs: 20',
  ])
})
