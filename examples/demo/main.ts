// Run: npm run demo                (add `-- --redis` for four processes that share a Redis, `-- --help` for help)
import { parseArgs } from 'node:util'
import { explain } from './expectations.ts'
import { help } from './help.ts'
import { stopProcesses } from './processes.ts'
import { type DemoRedis, provideRedis } from './redis.ts'
import { runPhases } from './scenario.ts'
import { table } from './table.ts'

/** Whatever goes wrong, the demo ends. */
const DEADLINE = 60_000

async function demo(): Promise<void> {
  const { values } = parseArgs({ options: { redis: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } })
  if (values.help) {
    console.log(help)
    return
  }
  if (values.redis) redis = await provideRedis()
  const results = await runPhases(redis)
  const several = redis !== undefined
  console.log(`\n${table(results, several)}\n`)
  console.log(explain(results, several))
}

async function stop(): Promise<void> {
  await stopProcesses()
  await redis?.stop()
}

async function fail(why: string, exitCode: number): Promise<never> {
  console.error(`\nherdlock demo: ${why}`)
  await stop()
  process.exit(exitCode)
}

let redis: DemoRedis | undefined

const deadline = setTimeout(() => void fail(`not done within ${DEADLINE / 1000} s`, 1), DEADLINE)
process.once('SIGINT', () => void fail('interrupted', 130))
process.once('SIGTERM', () => void fail('terminated', 143))
try {
  await demo()
  await stop()
} catch (error) {
  await fail(error instanceof Error ? error.message : String(error), 1)
}
clearTimeout(deadline)
