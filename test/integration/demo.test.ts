import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Program, runProgram } from '../support/run-program.ts'

const MAIN = 'examples/demo/main.ts'
/** The demo's own deadline: it takes a small part of that on a machine that does nothing else meanwhile. */
const TIMEOUT = 60_000

interface Row {
  requests: number
  runs: number
  waited: number
  p50: number
  p99: number
  errors: number
}

/** The rows of the table that the demo prints, by name. */
function rowsOf(output: string): Record<string, Row> {
  const pattern = /^(\S.*?) {2,}(\d+) +(\d+)(?: \([\d+]+\))? +(\d+) +([\d.]+) ms +([\d.]+) ms +(\d+)$/gm
  return Object.fromEntries(
    [...output.matchAll(pattern)].map(([, name, ...cells]) => {
      const [requests, runs, waited, p50, p99, errors] = cells.map(Number) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ]
      return [name as string, { requests, runs, waited, p50, p99, errors }]
    }),
  )
}

/** The compiler that `tsx` starts in every process ends some moments after it. */
async function nothingIsLeftOf(demo: Program): Promise<void> {
  await eventually('no process is left', () => !demo.isAlive(), { within: 10_000 })
}

async function runDemo(args: readonly string[]): Promise<{ rows: Record<string, Row>; output: string }> {
  const demo = await runProgram(MAIN, args, { REDIS_URL: undefined })
  const { code } = await demo.exited
  expect(demo.errors).toBe('')
  expect(code).toBe(0)
  await nothingIsLeftOf(demo)
  return { rows: rowsOf(demo.output), output: demo.output }
}

function expectOneRunForAll({ rows }: { rows: Record<string, Row> }): void {
  const { 'without singleFlight': without, 'with singleFlight': withFlight, 'expiring under load': expiring } = rows
  expect(without).toMatchObject({ requests: 1000, runs: 1000, waited: 1000, errors: 0 })
  expect(without?.p50).toBeGreaterThanOrEqual(200)
  expect(withFlight).toMatchObject({ requests: 1000, runs: 1, errors: 0 })
  // One further run, and no request waited for it.
  expect(expiring).toMatchObject({ requests: 1000, runs: 1, waited: 0, errors: 0 })
  expect(expiring?.p50).toBeLessThan(without?.p50 ?? 0)
}

test('the demo runs the handler once in one process', { timeout: TIMEOUT }, async () => {
  const demo = await runDemo([])
  expectOneRunForAll(demo)
  expect(demo.output).toMatch(/^with singleFlight +(\. ){10}[\d.]+ s$/m)
})

test('the demo runs the handler once in four processes that share a Redis', { timeout: TIMEOUT }, async () => {
  const demo = await runDemo(['--redis'])
  expectOneRunForAll(demo)
  expect(demo.output).toMatch(/^Redis: .*server/m)
  expect(demo.output).toContain('1000 (250+250+250+250)')
})

test('the demo says what it does when asked', async () => {
  const demo = await runProgram(MAIN, ['--help'])
  expect(await demo.exited).toMatchObject({ code: 0 })
  expect(demo.output).toContain('npm run demo -- --redis')
})

test.each([
  ['an unknown option', ['--reddis'], {}, '--reddis'],
  ['a Redis binary that is none', ['--redis'], { REDIS_URL: undefined, REDIS_SERVER_BIN: '/none' }, 'REDIS_SERVER_BIN'],
  ['a Redis that does not answer', ['--redis'], { REDIS_URL: 'redis://127.0.0.1:1' }, 'REDIS_URL'],
])('the demo fails with a message for %s', async (_case, args, env, expected) => {
  const demo = await runProgram(MAIN, args, env)
  const { code } = await demo.exited
  expect(code).toBe(1)
  expect(demo.errors).toContain(`herdlock demo: `)
  expect(demo.errors).toContain(expected)
  await nothingIsLeftOf(demo)
})

test.each([
  ['while it connects', 'Express in'],
  ['under load', 'without singleFlight'],
])('the demo leaves nothing behind when it is interrupted %s', { timeout: TIMEOUT }, async (_when, line) => {
  const demo = await runProgram(MAIN, ['--redis'], { REDIS_URL: undefined })
  await demo.line(line)
  demo.kill('SIGINT')
  expect(await demo.exited).toMatchObject({ code: 130 })
  expect(demo.errors.trim()).toBe('herdlock demo: interrupted')
  await nothingIsLeftOf(demo)
})
