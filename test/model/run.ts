import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { table } from './table.ts'
import { search, type Outcome } from './spin.ts'
import { questionsOf, type Question } from './questions.ts'

/**
 *     npm run model                        every check, every mutation, every possibility: a quarter of an hour
 *     npm run model -- gap M_GHOST         these alone
 *     npm run model -- --quick             those that the tests run
 *     npm run model -- gap --trace         of those that fail, the steps that lead there, in a file
 *
 * Two at a time, each with 3.5 GB and ten minutes at most. Ends with 1 if anything is not as it should be.
 */
const SECONDS = 600

const words = process.argv.slice(2)
const unknown = words.filter((word) => word.startsWith('--') && word !== '--quick' && word !== '--trace')
if (unknown.length > 0) throw new Error(`no flag ${unknown.join(', ')}; there are --quick and --trace`)
const traced = words.includes('--trace')
const names = words.filter((word) => !word.startsWith('--'))
const isQuick = words.includes('--quick')
const queue = questionsOf(table, names, isQuick)
const width = Math.max(...queue.map(({ name }) => name.length))
let wrong = 0

await Promise.all([work(), work()])
process.exitCode = wrong === 0 ? 0 : 1
console.log(wrong === 0 ? 'all as it should be' : `${wrong} not as it should be`)

async function work(): Promise<void> {
  for (let question = queue.shift(); question !== undefined; question = queue.shift()) {
    const outcome = await search(question, { seconds: SECONDS, traced, optimized: !isQuick })
    if (outcome.verdict !== question.expected) wrong++
    print(question, outcome)
    if (outcome.trace === '') continue
    const file = join(tmpdir(), `herdlock-model-${question.name}.txt`)
    await writeFile(file, outcome.trace)
    console.log(`    its steps: ${file}`)
  }
}

function print({ name, expected, about }: Question, { verdict, states, seconds, complaint }: Outcome): void {
  const mark = verdict === expected ? 'ok   ' : 'WRONG'
  const figures = `${states.toLocaleString('en').padStart(12)} states ${seconds.toFixed(0).padStart(4)} s`
  console.log(
    `${mark} ${name.padEnd(width)} ${verdict.padEnd(10)} ${figures}  ${about}${complaint && ` (${complaint})`}`,
  )
}
