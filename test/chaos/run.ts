import { writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startFollower } from '../model/replay.ts'
import { stepsOfRun } from '../model/steps-of-run.ts'
import { chaos } from './run-chaos.ts'

/**
 *     npm run chaos                                 30 minutes, from a seed of the moment
 *     npm run chaos -- --minutes 2 --seed 4711      so long, beginning with that seed
 *
 * Rounds of a minute, each with processes and options of its own; the seed of a round is that of the one before and 1.
 * Ends with 1 at the first round in which something was wrong. The report goes to bench/results/chaos.json.
 */
const { values } = parseArgs({ options: { minutes: { type: 'string' }, seed: { type: 'string' } } })
const minutes = positive('minutes', values.minutes ?? '30')
const firstSeed = positive('seed', values.seed ?? String(Date.now() % 1_000_000))
const REPORT = new URL('../../bench/results/chaos.json', import.meta.url)
const SECONDS_A_ROUND = 60

/** `steps`: those of the model that Redis was seen to follow. */
const total = { seconds: 0, calls: 0, changes: 0, steps: 0, faults: {} as Record<string, number> }
const judged = { answers: 0, bound: 0, loads: 0, exclusive: 0, readings: 0, chunks: 0, resumed: 0 }
let wrong: readonly string[] = []
const follower = await startFollower()
const endsAt = performance.now() + minutes * 60_000
let seed = firstSeed
for (; wrong.length === 0 && performance.now() < endsAt; seed++) {
  const left = (endsAt - performance.now()) / 1000
  const round = await chaos({ seed, seconds: Math.min(SECONDS_A_ROUND, Math.max(5, left)) })
  const { setups, history, carriedOut: _, ...told } = round
  const steps = stepsOfRun(round)
  const refusal = await follower.follow(steps)
  console.log(`seed ${seed}: ${JSON.stringify({ ...told, wrong: round.wrong.length })}`)
  for (const name of ['seconds', 'calls', 'changes'] as const) total[name] += round[name]
  for (const [name, count] of Object.entries(round.faults)) total.faults[name] = (total.faults[name] ?? 0) + count
  for (const name of Object.keys(judged) as (keyof typeof judged)[]) judged[name] += round.judged[name]
  total.steps += steps.length
  wrong = refusal === '' ? round.wrong : [...round.wrong, `the model does not allow what Redis did:\n${refusal}`]
  if (wrong.length === 0) continue
  const file = join(tmpdir(), `herdlock-chaos-${seed}.json`)
  await writeFile(file, JSON.stringify(history))
  console.log([...setups, ...wrong.slice(0, 40), `what was seen: ${file}`].join('\n'))
}
await follower.end()
const report = {
  node: process.version,
  cores: availableParallelism(),
  firstSeed,
  lastSeed: seed - 1,
  ...total,
  judged,
  wrong,
}
await writeFile(REPORT, `${JSON.stringify(report, null, 2)}\n`)
process.exit(wrong.length === 0 ? 0 : 1) // what faults have left behind must not keep this alive

function positive(name: string, value: string): number {
  const number = Number(value)
  if (!(number > 0)) throw new RangeError(`--${name} must be a number above 0, received ${value}`)
  return number
}
