// Run: npm run demo                (add `-- --redis` for four processes that share a Redis, `-- --serve` for a page, `-- --help` for help)
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { explain } from './expectations.ts'
import { help } from './help.ts'
import { stopProcesses } from './processes.ts'
import { type DemoRedis, provideRedis } from './redis.ts'
import { runPhases } from './scenario.ts'
import { type DemoServer, serveDemo } from './serve.ts'
import { table } from './table.ts'

/** Whatever goes wrong, the demo ends. */
const DEADLINE = 60_000

const { values } = parseArguments()

function parseArguments() {
  const options = {
    redis: { type: 'boolean' },
    serve: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const
  try {
    return parseArgs({ options })
  } catch (error) {
    console.error(`\nherdlock demo: ${(error as Error).message}`)
    process.exit(1)
  }
}

async function demo(): Promise<void> {
  if (values.redis) redis = await provideRedis()
  if (values.serve) return serve()
  const results = await runPhases(redis)
  const several = redis !== undefined
  console.log(`\n${table(results, several)}\n`)
  console.log(explain(results, several))
}

/** Until Ctrl-C. */
async function serve(): Promise<void> {
  const ends = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ends.abort())
  server = await serveDemo(redis)
  console.log(`\nThe demo's page: ${server.url}\nThe dashboard:   ${server.url}/herdlock/\n\nCtrl-C ends it.`)
  if (!ends.signal.aborted) await once(ends.signal, 'abort')
  console.log('\nended')
}

async function stop(): Promise<void> {
  await server?.stop()
  await stopProcesses()
  await redis?.stop()
}

/** The first reason counts: what fails after it fails because everything is being stopped. */
async function fail(why: string, exitCode: number): Promise<void> {
  if (failing) return
  failing = true
  console.error(`\nherdlock demo: ${why}`)
  await stop()
  process.exit(exitCode)
}

let failing = false
let redis: DemoRedis | undefined
let server: DemoServer | undefined

if (values.help) {
  console.log(help)
  process.exit()
}
if (!values.serve) {
  setTimeout(() => void fail(`not done within ${DEADLINE / 1000} s`, 1), DEADLINE).unref()
  process.once('SIGINT', () => void fail('interrupted', 130))
  process.once('SIGTERM', () => void fail('terminated', 143))
}
try {
  await demo()
  await stop()
} catch (error) {
  await fail(error instanceof Error ? error.message : String(error), 1)
}
