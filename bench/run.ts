import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { drawPlots } from './plot/plots.ts'
import { fillTables } from './plot/tables.ts'
import { type Figures, keepFigures } from './measure/results.ts'

/**
 *     npm run bench                                        measures everything; takes a quarter of an hour and more
 *     npm run bench -- cache lock http scale streams [--quick]   these alone; --quick: fewer rounds
 *     npm run bench -- cache --only cold                   further flags go to the bench; figures of others are kept
 *     npm run bench -- [cache …] --plot                    draws the plots of the docs and fills the tables of
 *                                                          docs/comparison.md; without names measures nothing
 *
 * Figures go to bench/results/, by Node if it is not Node 20, plots to docs/pictures/. Nothing else should run on the machine meanwhile.
 */
const root = fileURLToPath(new URL('../', import.meta.url))

/** Each with the folder of its peers' package and what it must be compiled from. */
const benches: Record<string, { readonly peers?: string; readonly compile?: string }> = {
  cache: { peers: 'bench/cache/peers', compile: 'bench/cache/tsconfig.json' },
  lock: { peers: 'bench/lock/peers' },
  http: { peers: 'bench/http/peers' },
  scale: {},
  streams: {},
}

const words = process.argv.slice(2)
const plot = words.includes('--plot')
const isFlag = (word: string): boolean => word.startsWith('--')
const firstFlag = words.findIndex(isFlag)
const names = firstFlag === -1 ? words : words.slice(0, firstFlag)
const flags = words.slice(names.length).filter((word) => word !== '--plot')
const unknown = names.filter((name) => !(name in benches))
if (unknown.length > 0) throw new Error(`no bench ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`)

const chosen = names.length > 0 ? names : plot ? [] : Object.keys(benches)
for (const name of chosen) await measure(name)
if (plot) {
  await drawPlots()
  await fillTables()
}

async function measure(name: string): Promise<void> {
  const { peers, compile } = benches[name] as (typeof benches)[string]
  if (peers !== undefined && !existsSync(join(root, peers, 'node_modules'))) run('npm', ['ci', '--prefix', peers])
  run('npm', ['run', '--silent', 'build'])
  if (compile !== undefined) run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', compile])
  const folder = await mkdtemp(join(tmpdir(), 'herdlock-bench-'))
  try {
    const json = join(folder, 'figures.json')
    run(process.execPath, ['--import', 'tsx', `bench/${name}/run.ts`, '--json', json, ...flags])
    await keepFigures(name, JSON.parse(await readFile(json, 'utf8')) as Figures, flags.includes('--quick'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function run(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`, { cause: error })
}
