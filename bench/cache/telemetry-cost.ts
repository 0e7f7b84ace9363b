import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { optionAfter, Report } from '../measure/report.ts'
import { median, rotated } from '../measure/statistics.ts'

/**
 *     npm run bench:telemetry -- [--against other/dist] [--generations 8] [--json results.json]
 *
 * What telemetry costs a fresh hit in memory while nobody subscribes: herdlock as it is built, beside copies of the
 * build from which it has been cut. They take turns in one process; processes are begun anew, because the compiler does
 * not decide alike in each. `--against`: beside another build, too. Figures are shares of the first one's rate.
 */
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const HITS = /hit\(key\) \{(?=\s*this\.counts\.hit\+\+)/
const ASKS = /if \(this\.#tellsHits \|\| HIT\.hasSubscribers\) this\.#tell\("hit", \{\s*key,\s*tier: "memory"\s*\}\);/
const ROUNDS = 60
const HITS_A_ROUND = 100_000

/** A copy of a build, by what has become of the file of dist/ that counts hits. */
const builds: readonly { name: string; edit: (events: string) => string }[] = [
  { name: 'without telemetry, counts included', edit: (events) => cut(events, HITS, 'hit(key) { return;') },
  { name: 'counts only', edit: (events) => cut(events, ASKS, '') },
  { name: 'as built', edit: (events) => events },
]

/** What each copy measures by itself: a loop that they shared would be compiled for all of them at once. */
const LOOP = `
import { createCache } from './index.js'
const cache = createCache({ ttl: 3_600_000 })
const keys = Array.from({ length: 1000 }, (_, i) => 'key ' + i)
const load = ({ key }) => key
for (const key of keys) await cache.getOrRefill(key, load)
export async function rate(count) {
  const startedAt = performance.now()
  for (let at = 0; at < count; at++) await cache.getOrRefill(keys[at % 1000], load)
  return count / (performance.now() - startedAt)
}
`

function cut(source: string, what: RegExp, replacement: string): string {
  const edited = source.replace(what, replacement)
  if (edited === source) throw new Error(`no file of dist/ has ${String(what)}`)
  return edited
}

async function copyOf(dist: string, folder: string, edit: (events: string) => string): Promise<string> {
  await cp(dist, folder, { recursive: true })
  const shared = (await readdir(join(folder, 'shared'))).filter((name) => name.endsWith('.js'))
  const texts = await Promise.all(shared.map((name) => readFile(join(folder, 'shared', name), 'utf8')))
  const counting = texts.findIndex((text) => HITS.test(text))
  if (counting === -1) throw new Error(`no file of ${dist} has ${String(HITS)}`)
  await writeFile(join(folder, 'shared', shared[counting] as string), edit(texts[counting] as string))
  await writeFile(join(folder, 'loop.js'), LOOP)
  return join(folder, 'loop.js')
}

/** In a process of its own: the medians of the rates of the loops, which take turns. */
async function measure(loops: readonly string[]): Promise<number[]> {
  const runs = await Promise.all(
    loops.map(async (loop) => (await import(pathToFileURL(loop).href)) as { rate(count: number): Promise<number> }),
  )
  const rates = runs.map((): number[] => [])
  const indices = [...runs.keys()]
  for (let round = 0; round < ROUNDS; round++) {
    for (const index of rotated(indices, round)) rates[index]?.push((await runs[index]?.rate(HITS_A_ROUND)) ?? 0)
  }
  return rates.map((own) => median(own.slice(ROUNDS / 4)))
}

async function main(): Promise<void> {
  // In the project, where the copies find its dependencies.
  const home = await mkdtemp(join(ROOT, 'node_modules', '.telemetry-cost-'))
  try {
    const dist = join(ROOT, 'dist')
    const names = builds.map(({ name }) => name)
    const loops = await Promise.all(builds.map(({ edit }, at) => copyOf(dist, join(home, String(at)), edit)))
    const other = optionAfter('--against')
    if (other !== undefined) {
      names.push(other)
      loops.push(await copyOf(other, join(home, 'other'), (events) => events))
    }
    const shares = names.map((): number[] => [])
    for (let generation = 0; generation < Number(optionAfter('--generations') ?? 8); generation++) {
      const self = [...process.execArgv, fileURLToPath(import.meta.url), '--loops', loops.join(',')]
      const { stdout } = await promisify(execFile)(process.execPath, self)
      const rates = JSON.parse(stdout) as number[]
      for (const [at, rate] of rates.entries()) shares[at]?.push(rate / (rates[0] as number))
    }
    const report = new Report()
    report.add(
      'hit in memory, nobody subscribes: share of the rate without telemetry',
      new Map(names.map((name, at) => [name, median(shares[at] ?? [])])),
    )
    const json = optionAfter('--json')
    if (json !== undefined) await report.save(json)
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

const loops = optionAfter('--loops')
if (loops === undefined) await main()
else console.log(JSON.stringify(await measure(loops.split(','))))
