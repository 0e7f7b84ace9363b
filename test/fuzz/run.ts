import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { keepInCorpus } from './corpus.ts'
import { inputsFor } from './inputs.ts'
import { targets } from './targets.ts'

/**
 *     npm run fuzz                                        ten minutes, all targets in turn
 *     npm run fuzz -- --minutes 2 --target 'HTTP date'    so long, that target alone
 *
 * What goes wrong is made as short as it will get and kept in `corpus.json`, where the tests find it. Ends with 1 then.
 */
const { values } = parseArgs({ options: { minutes: { type: 'string' }, target: { type: 'string' } } })
const minutes = Number(values.minutes ?? '10')
if (!(minutes > 0)) throw new RangeError(`--minutes must be a number above 0, received ${values.minutes}`)
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target)
if (chosen.length === 0) throw new RangeError(`--target must be one of: ${targets.map(({ name }) => name).join('; ')}`)
const RUNS_A_ROUND = 2000

const tried = new Map<string, number>()
const broken = new Set<string>()
const endsAt = performance.now() + minutes * 60_000
while (performance.now() < endsAt && broken.size < chosen.length) {
  for (const target of chosen) {
    if (broken.has(target.name)) continue
    const outcome = fc.check(fc.property(inputsFor(target), target.run), { numRuns: RUNS_A_ROUND, endOnFailure: false })
    tried.set(target.name, (tried.get(target.name) ?? 0) + outcome.numRuns)
    if (!outcome.failed) continue
    broken.add(target.name)
    const [input] = outcome.counterexample ?? []
    if (input !== undefined) await keepInCorpus(target.name, input)
    console.log(`${target.name}: ${String(outcome.errorInstance)}\n  ${JSON.stringify(input?.toString('latin1'))}`)
  }
}
for (const [name, count] of tried)
  console.log(`${broken.has(name) ? 'WRONG' : 'ok   '} ${String(count).padStart(9)} ${name}`)
process.exitCode = broken.size === 0 ? 0 : 1
