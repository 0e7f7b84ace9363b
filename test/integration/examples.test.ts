import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { runProgram } from '../support/run-program.ts'
import { sharedRedis } from '../support/shared-redis.ts'

const FOLDER = fileURLToPath(new URL('../../examples/', import.meta.url))
/** Those that are run below. */
const EXAMPLES = ['dashboard.ts', 'express-app.ts', 'locker.ts', 'wrap-loader.ts']

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
