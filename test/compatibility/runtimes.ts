import { delimiter, dirname } from 'node:path'
import { nodeBinary } from './binaries.ts'
import { record } from './recorded.ts'
import { runTests } from './run-tests.ts'
import { BUN, DENO, NODES } from './versions.ts'

/**
 *     npm run test:runtimes                   unit, contract and HTTP suites and consumers of the package, on each Node;
 *                                             the smoke suite on Bun and Deno
 *     npm run test:runtimes -- 24 26          on these
 *     npm run test:runtimes -- --quick        the oldest and the newest Node, with what takes a minute each
 *
 * Notes for docs/compatibility.md what has passed, the quick run excepted. Ends with 1 if anything failed.
 */
const SUITES = ['test/unit', 'test/contract', 'test/http', 'test/package/published']
const QUICK = ['test/unit', 'test/contract/cache-failures', 'test/http/main-job', 'test/http/streaming']
const SMOKE = ['test/compatibility/smoke']

const words = process.argv.slice(2)
const isQuick = words.includes('--quick')
const nodes = Object.entries(NODES)
const unknown = words.filter((word) => word !== '--quick' && !(`Node.js ${word}` in NODES))
if (unknown.length > 0) throw new Error(`not among ${Object.keys(NODES).join(', ')}: ${unknown.join(' ')}`)
const failed: string[] = []

for (const [name, version] of nodes.filter(isAsked)) {
  const passed = runOn(await nodeBinary(version), `${name}: ${version}`, isQuick ? QUICK : SUITES)
  await note(passed, name, { [name]: version })
}
if (words.length === 0) {
  const passed = runOn(process.execPath, 'Bun and Deno', SMOKE)
  await note(passed, 'Bun or Deno', { Bun: BUN, Deno: DENO })
}
console.log(failed.length === 0 ? '\nall passed' : `\nfailed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1

function isAsked([name]: readonly [string, string], index: number): boolean {
  if (isQuick) return index === 0 || index === nodes.length - 1
  return words.length === 0 || words.some((word) => name.endsWith(` ${word}`))
}

function runOn(node: string, title: string, suites: readonly string[]): boolean {
  console.log(`\n=== ${title}`)
  // What the tests start by the name of `node` is this one, too.
  const env = { ...process.env, PATH: [dirname(node), process.env['PATH']].join(delimiter) }
  return runTests(node, suites, env)
}

async function note(passed: boolean, name: string, versions: Readonly<Record<string, string>>): Promise<void> {
  if (!passed) failed.push(name)
  else if (!isQuick) await record('runtimes', versions)
}
