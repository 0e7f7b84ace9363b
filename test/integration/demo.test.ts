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
  slowest: number
  errors: number
}

/** The rows of the table that the demo prints, by name. */
function rowsOf(output: string): Record<string, Row> {
  const pattern = /^(\S.*?) {2,}(\d+) +(\d+)(?: \([\d+]+\))? +(\d+) +([\d.]+ m?s) +([\d.]+ m?s) +(\d+)$/gm
  return Object.fromEntries(
    [...output.matchAll(pattern)].map(([, name, requests, runs, waited, p50, slowest, errors]) => [
      name as string,
      {
        ...{ requests: Number(requests), runs: Number(runs), waited: Number(waited), errors: Number(errors) },
        ...{ p50: inMs(p50), slowest: inMs(slowest) },
      },
    ]),
  )
}

function inMs(text = ''): number {
  return parseFloat(text) * (text.endsWith(' ms') ? 1 : 1000)
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

function expectOneRunForAll({ rows }: { rows: Record<string, Row> }, requests: number): void {
  const { 'without singleFlight': without, 'with singleFlight': withFlight, 'expiring under load': expiring } = rows
  expect(without).toMatchObject({ requests, runs: requests, waited: requests, errors: 0 })
  // 20 queries at a time, of 200 ms each.
  expect(without?.slowest).toBeGreaterThanOrEqual((requests / 20) * 200 * 0.95)
  expect(withFlight).toMatchObject({ requests, runs: 1, errors: 0 })
  expect(withFlight?.slowest).toBeLessThan((without?.slowest ?? 0) / 2)
  // One further run, and no request waited for it.
  expect(expiring).toMatchObject({ requests, runs: 1, waited: 0, errors: 0 })
  expect(expiring?.p50).toBeLessThan(without?.p50 ?? 0)
}

test('the demo runs the handler once in one process', { timeout: TIMEOUT }, async () => {
  const demo = await runDemo([])
  expectOneRunForAll(demo, 1000)
  expect(demo.output).toMatch(/^with singleFlight +(\. ){10}[\d.]+ s$/m)
})

test('the demo runs the handler once in four processes that share a Redis', { timeout: TIMEOUT }, async () => {
  const demo = await runDemo(['--redis', '--requests', '400'])
  expectOneRunForAll(demo, 400)
  expect(demo.output).toMatch(/^Redis: .*server/m)
  expect(demo.output).toContain('400 (100+100+100+100)')
})

test(
  'the demo shows that no request fails when Redis goes away, and that all share again later',
  { timeout: TIMEOUT },
  async () => {
    const { rows, output } = await runDemo(['--scene', 'redis', '--requests', '400'])
    expect(rows['Redis is there']).toMatchObject({ requests: 400, runs: 1, errors: 0 })
    expect(rows['Redis is gone']).toMatchObject({ requests: 400, runs: 4, errors: 0 })
    expect(rows['Redis is back']).toMatchObject({ requests: 400, runs: 1, errors: 0 })
    expect(output).toContain('4 (1+1+1+1)')
  },
)

test(
  'the demo shows that another process takes over when one is killed in the middle',
  { timeout: TIMEOUT },
  async () => {
    const { rows } = await runDemo(['--scene', 'kill', '--requests', '400'])
    expect(rows['a process is killed']).toMatchObject({ requests: 400, runs: 2, errors: 100 })
  },
)

test('the demo says what it does when asked', async () => {
  const demo = await runProgram(MAIN, ['--help'])
  expect(await demo.exited).toMatchObject({ code: 0 })
  expect(demo.output).toContain('npm run demo -- --redis')
})

test.each([
  ['an unknown option', ['--reddis'], {}, '--reddis'],
  ['an unknown scene', ['--scene', 'fire'], {}, '--scene must be redis or kill'],
  ['a herd of no size', ['--requests', '7'], {}, '--requests must be'],
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
