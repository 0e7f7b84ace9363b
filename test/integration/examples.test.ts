import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { runProgram } from '../support/run-program.ts'
import { sharedRedis } from '../support/shared-redis.ts'

const FOLDER = fileURLToPath(new URL('../../examples/', import.meta.url))
/** Those that are run below. */
const EXAMPLES = ['express-app.ts', 'locker.ts', 'opentelemetry.ts', 'wrap-loader.ts']

test('every example is run by a test, and tells how to run it', async () => {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.ts'))
  expect(files.toSorted()).toEqual(EXAMPLES)
  for (const file of files) {
    const [firstLine] = (await readFile(FOLDER + file, 'utf8')).split('\n')
    expect(firstLine).toContain(`npm run example examples/${file}`)
  }
})

test('express-app.ts runs its handler once for all who ask at once, and ends on SIGTERM', async () => {
  const app = await runProgram('examples/express-app.ts', [], { PORT: '0' })
  const [url] = /http:\S+/.exec(await app.line('listening on')) as RegExpExecArray
  const reports = await Promise.all(Array.from({ length: 50 }, () => fetch(`${url}/report`)))
  expect(await Promise.all(reports.map((response) => response.json()))).toEqual(reports.map(() => ({ run: 1 })))
  for (const { headers } of reports) expect(headers.get('cache-status')).toMatch(/^herdlock; (hit|fwd=uri-miss)/)

  const users = ['Ada', 'Grace']
  const accounts = users.map((user) => fetch(`${url}/account`, { headers: { authorization: user } }))
  const answers = await Promise.all(accounts.map(async (account) => (await account).json()))
  expect(answers).toEqual(users.map((user) => ({ user })))

  app.kill('SIGTERM')
  expect(await app.exited).toEqual({ code: 0, signal: null })
  expect(app.output).toContain('closed')
  expect(app.errors).toBe('')
})

test.each([
  ['memory', undefined],
  ['memory and Redis', sharedRedis().url],
])('wrap-loader.ts loads once for a hundred callers in %s', async (where, url) => {
  const example = await runProgram('examples/wrap-loader.ts', [], { REDIS_URL: url })
  expect(await example.exited).toEqual({ code: 0, signal: null })
  expect(example.errors).toBe('')
  expect(example.output.trim().split('\n')).toEqual([
    `cached in ${where}`,
    "first call { id: 1, name: 'user 1', load: 1 }",
    '100 calls at once, 1 load',
    'stale: load 2, at once',
    'invalidated: a newer load, true',
    'closed',
  ])
})

test('locker.ts takes, waits for, keeps and numbers a lock, and ends by itself', async () => {
  const example = await runProgram('examples/locker.ts', [], { REDIS_URL: sharedRedis().url })
  expect(await example.exited).toEqual({ code: 0, signal: null })
  expect(example.errors).toBe('')
  expect(example.output.trim().split('\n')).toEqual([
    'held elsewhere',
    'woken at the release: true',
    'done in 1500 ms under a lock of 1000 ms',
    'the second holder has the higher number: true',
    'closed',
  ])
})

test('opentelemetry.ts shows the spans of a refill below its caller, and what the cache counted', async () => {
  const example = await runProgram('examples/opentelemetry.ts', [], { REDIS_URL: undefined })
  expect(await example.exited).toEqual({ code: 0, signal: null })
  expect(example.errors).toBe('')
  expect(example.output.trimEnd().split('\n')).toEqual([
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
  const example = await runProgram('examples/opentelemetry.ts', [], { REDIS_URL: sharedRedis().url })
  expect(await example.exited).toEqual({ code: 0, signal: null })
  expect(example.errors).toBe('')
  expect(example.output).toContain('  herdlock.refill user:* loaded\n    herdlock.claim user:*\n    SELECT users\n')
})
