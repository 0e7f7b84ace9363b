import { writeFile } from 'node:fs/promises'
import { startRedis } from '../../test/support/redis-server.ts'
import { type Behaviour, observe } from './behaviour.ts'
import { type Yielding, measureYielding } from './yielding.ts'
import { handOffContenders, pairContenders } from './contenders.ts'
import { measureHandOffs, measurePairs, measureWaiting, median } from './measure.ts'

/**
 *     npm ci --prefix bench/lock && npx tsx bench/lock/run.ts [--quick] [--only herdlock] [--json results.json]
 *
 * On a Redis of its own, or that of REDIS_URL, which it flushes.
 */
const quick = process.argv.includes('--quick')
const only = optionAfter('--only')
const json = optionAfter('--json')

const server = process.env['REDIS_URL'] === undefined ? await startRedis() : undefined
const url = server?.url ?? (process.env['REDIS_URL'] as string)
const chosen = (name: string): boolean => only === undefined || name.startsWith('limit') || name.startsWith(only)
const pairNames = pairContenders.map(({ name }) => name).filter(chosen)
const handOffNames = handOffContenders.map(({ name }) => name).filter(chosen)
const results: Record<string, Record<string, number>> = {}

const pairs = await measurePairs(pairNames, url, quick ? 9 : 15, quick ? 3000 : 6000)
const [limit = ''] = pairNames
report(
  'pairs per second, 100 at once, as a share of the limit',
  pairNames,
  (name) => median(pairs.get(name) ?? []) / median(pairs.get(limit) ?? []),
)

for (const waiters of [2, 10, 100]) {
  const handOffs = await measureHandOffs(
    handOffNames,
    url,
    waiters,
    quick || waiters === 100 ? 6 : waiters === 10 ? 9 : 18,
  )
  report(`hand-off p50 in ms, ${waiters} waiters in 4 processes`, handOffNames, (name) =>
    median(handOffs.get(name)?.latencies ?? []),
  )
  report(`commands a hand-off, ${waiters} waiters`, handOffNames, (name) => median(handOffs.get(name)?.commands ?? []))
}
const seconds = quick ? 5 : 8
const waiting = new Map<string, number>()
for (const name of handOffNames) waiting.set(name, await measureWaiting(name, url, 100, seconds))
report('commands a waiter and second, 100 waiters in 4 processes', handOffNames, (name) => waiting.get(name) ?? NaN)

// One peer leaves rejections unhandled when its connection ends.
process.on('unhandledRejection', () => {})
const behaviours = new Map<string, Behaviour>()
for (const contender of handOffContenders.filter(({ name }) => !name.startsWith('limit') && chosen(name))) {
  behaviours.set(contender.name, await observe(contender, url))
}
const observed = [...behaviours.keys()]
report('of 10 waiters, served in their turn', observed, (name) => behaviours.get(name)?.inOrder ?? NaN)
report(
  'ms after the ttl that a crashed holder is replaced',
  observed,
  (name) => behaviours.get(name)?.afterCrash ?? NaN,
)
report('ms until an acquisition on a frozen Redis ends', observed, (name) => behaviours.get(name)?.onFrozenRedis ?? NaN)

const yields = new Map<string, Yielding>()
for (const yieldAfter of [Infinity, 2000]) {
  yields.set(`herdlock, yieldAfter ${yieldAfter}`, await measureYielding(url, yieldAfter, quick ? 6 : 12))
}
const yielding = [...yields.keys()]
report('hand-overs a second, 10 in the queue', yielding, (name) => yields.get(name)?.handOvers ?? NaN)
report('scripts a hand-over, 10 in the queue', yielding, (name) => yields.get(name)?.commands ?? NaN)
report('ms that a program which polls waits meanwhile', yielding, (name) => yields.get(name)?.foreignWait ?? NaN)

if (json !== undefined) await writeFile(json, `${JSON.stringify(results, null, 2)}\n`)
await server?.stop()
process.exit() // a peer goes on connecting to the Redis that has ended

function report(what: string, names: readonly string[], figure: (name: string) => number): void {
  const figures = Object.fromEntries(names.map((name) => [name, Number(figure(name).toPrecision(3))]))
  results[what] = figures
  console.log(`\n${what}`)
  for (const [name, value] of Object.entries(figures)) console.log(`  ${name.padEnd(40)} ${value}`)
}

function optionAfter(flag: string): string | undefined {
  const index = process.argv.indexOf(flag)
  return index === -1 ? undefined : process.argv[index + 1]
}
