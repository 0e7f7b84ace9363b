import { writeFile } from 'node:fs/promises'
import { startRedis } from '../../test/support/redis-server.ts'
import { optionAfter } from '../measure/report.ts'
import { median } from '../measure/statistics.ts'
import { type Behaviour, observe } from './behaviour.ts'
import { type Yielding, measureYielding } from './yielding.ts'
import { handOffContenders, pairContenders } from './contenders.ts'
import { measureFirstSecond } from './first-second.ts'
import { handOff, measureHandOffs, measurePairs, measureWaiting, PAIRS } from './measure.ts'

/**
 *     npm run bench -- lock [--quick] [--only pairs,handoffs,waiting,behaviour,yielding,first] [--contenders herdlock]
 *
 * herdlock as it is built, next to what else there is, on a Redis of its own, or that of REDIS_URL, which it flushes.
 */
const quick = process.argv.includes('--quick')
const only = optionAfter('--only')?.split(',')
const contenders = optionAfter('--contenders')
const json = optionAfter('--json')
const asks = (part: string): boolean => only === undefined || only.includes(part)

const server = process.env['REDIS_URL'] === undefined ? await startRedis() : undefined
const url = server?.url ?? (process.env['REDIS_URL'] as string)
const chosen = (name: string): boolean =>
  contenders === undefined || name.startsWith('limit') || name.startsWith(contenders)
const pairNames = pairContenders.map(({ name }) => name).filter(chosen)
const handOffNames = handOffContenders.map(({ name }) => name).filter(chosen)
const results: Record<string, Record<string, number>> = {}

if (asks('pairs')) {
  const pairs = await measurePairs(pairNames, url, quick ? 9 : 15, quick ? 3000 : 6000)
  const [limit = ''] = pairNames
  report(PAIRS, pairNames, (name) => median(pairs.get(name) ?? []) / median(pairs.get(limit) ?? []))
}
if (asks('handoffs')) {
  for (const waiters of [2, 10, 100]) {
    const rounds = quick || waiters === 100 ? 6 : waiters === 10 ? 9 : 18
    const handOffs = await measureHandOffs(handOffNames, url, waiters, rounds)
    report(handOff(waiters), handOffNames, (name) => median(handOffs.get(name)?.latencies ?? []))
    const commands = (name: string): number => median(handOffs.get(name)?.commands ?? [])
    report(`commands a hand-off, ${waiters} waiters`, handOffNames, commands)
  }
}
if (asks('waiting')) {
  const waiting = new Map<string, number>()
  for (const name of handOffNames) waiting.set(name, await measureWaiting(name, url, 100, quick ? 5 : 8))
  report('commands a waiter and second, 100 waiters in 4 processes', handOffNames, (name) => waiting.get(name) ?? NaN)
}
if (asks('first')) {
  const first = await measureFirstSecond(url, quick ? 1 : 7)
  for (const [asked, figures] of first) report(asked, [...figures.keys()], (name) => figures.get(name) ?? NaN)
}
if (asks('behaviour')) {
  // One peer leaves rejections unhandled when its connection ends.
  process.on('unhandledRejection', () => {})
  const behaviours = new Map<string, Behaviour>()
  for (const contender of handOffContenders.filter(({ name }) => !name.startsWith('limit') && chosen(name))) {
    behaviours.set(contender.name, await observe(contender, url))
  }
  const tell = (asked: string, of: (behaviour: Behaviour) => number): void =>
    report(asked, [...behaviours.keys()], (name) => of(behaviours.get(name) as Behaviour))
  tell('of 10 waiters, served in their turn', ({ inOrder }) => inOrder)
  tell('ms after the ttl that a crashed holder is replaced', ({ afterCrash }) => afterCrash)
  tell('ms until an acquisition on a frozen Redis ends', ({ onFrozenRedis }) => onFrozenRedis)
}
if (asks('yielding')) {
  const yields = new Map<string, Yielding>()
  for (const yieldAfter of [Infinity, 2000]) {
    yields.set(`herdlock, yieldAfter ${yieldAfter}`, await measureYielding(url, yieldAfter, quick ? 6 : 12))
  }
  const tell = (asked: string, of: (yielding: Yielding) => number): void =>
    report(asked, [...yields.keys()], (name) => of(yields.get(name) as Yielding))
  tell('hand-overs a second, 10 in the queue', ({ handOvers }) => handOvers)
  tell('scripts a hand-over, 10 in the queue', ({ commands }) => commands)
  tell('ms that a program which polls waits meanwhile', ({ foreignWait }) => foreignWait)
}

if (json !== undefined) await writeFile(json, `${JSON.stringify(results, null, 2)}\n`)
await server?.stop()
process.exit() // a peer goes on connecting to the Redis that has ended

function report(what: string, names: readonly string[], figure: (name: string) => number): void {
  const figures = Object.fromEntries(names.map((name) => [name, Number(figure(name).toPrecision(3))]))
  results[what] = figures
  console.log(`\n${what}`)
  for (const [name, value] of Object.entries(figures)) console.log(`  ${name.padEnd(40)} ${value}`)
}
