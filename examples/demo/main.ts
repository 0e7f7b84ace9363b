// Run: npm run demo                (add `-- --redis` for four processes that share a Redis, `-- --scene redis`, `-- --serve` for a page, `-- --help` for help)
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { explain } from './expectations.ts'
import { help } from './help.ts'
import { stopProcesses } from './processes.ts'
import { type DemoRedis, ownRedis, provideRedis } from './redis.ts'
import { runPhases } from './scenario.ts'
import { SCENES, type SceneName } from './scenes.ts'
import { type DemoServer, serveDemo } from './serve.ts'
import { table } from './table.ts'

/** Whatever goes wrong, the demo ends. */
const DEADLINE = 60_000

const { values } = parseArguments()

function parseArguments() {
  const options = {
    redis: { type: 'boolean' },
    serve: { type: 'boolean' },
    scene: { type: 'string' },
    requests: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  } as const
  try {
    return parseArgs({ options })
  } catch (error) {
    console.error(`\nherdlock demo: ${(error as Error).message}`)
    process.exit(1)
  }
}

/** Requests of each herd. */
function requestsAsked(): number {
  const requests = Number(values.requests ?? 1000)
  if (requests >= 100 && requests <= 10_000 && requests % 100 === 0) return requests
  throw new Error(`--requests must be a multiple of 100, up to 10000, received ${JSON.stringify(values.requests)}`)
}

async function scene(name: string): Promise<void> {
  if (!(name in SCENES)) {
    throw new Error(`--scene must be ${Object.keys(SCENES).join(' or ')}, received ${JSON.stringify(name)}`)
  }
  const own = await ownRedis()
  redis = own
  console.log(await SCENES[name as SceneName](own, requestsAsked()))
}

async function demo(): Promise<void> {
  if (values.scene !== undefined) return scene(values.scene)
  if (values.redis) redis = await provideRedis()
  if (values.serve) return serve()
  const results = await runPhases(redis, requestsAsked())
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
