import { type ChildProcess, execFile, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { type Contender, contenders, isAvailable, type Load } from './contenders.ts'
import { Herd } from './herd.ts'

/**
 *     npm ci --prefix bench/http && npx tsx bench/http/run.ts [--quick] [--herd] [--only herdlock] [--json results.json]
 *
 * Fresh hits with wrk, 64 connections, or autocannon where there is no wrk; then a thousand requests at once on a
 * handler that takes 200 ms (`--herd`: that alone; NaN: an empty answer). Server and client are processes of their own; contenders take turns.
 */
const quick = process.argv.includes('--quick')
const json = optionAfter('--json')
const only = optionAfter('--only')
const rounds = quick ? 5 : 11
const seconds = quick ? 1 : 3
const isChosen = ({ name }: Contender): boolean =>
  only === undefined || name.startsWith(only) || !name.includes('cache ')
const available = contenders.filter((contender) => isAvailable(contender) && isChosen(contender))
const results: Record<string, Record<string, number>> = {}

for (const bytes of process.argv.includes('--herd') ? [] : [1024, 100 * 1024]) {
  const rates = await measureHits({ bytes, delay: 0, maxAge: 3600 })
  const bare = median(rates.get('node:http, no cache') ?? [])
  report(`hits per second, ${bytes / 1024} KB, as a share of bare node:http`, rates, (own) => median(own) / bare)
  report(`hits per second, ${bytes / 1024} KB, as a share of the limit at the same place`, rates, (own, { limit }) =>
    limit === undefined ? undefined : median(own) / median(rates.get(limit) ?? []),
  )
}
await measureHerd()
if (process.argv.includes('--json') && json !== undefined)
  await writeFile(json, `${JSON.stringify(results, null, 2)}\n`)

async function measureHits(load: Load): Promise<Map<string, number[]>> {
  const servers = await Promise.all(
    available.map(async (contender) => ({ contender, ...(await start(contender, load)) })),
  )
  const rates = new Map<string, number[]>(available.map(({ name }) => [name, []]))
  for (const { port } of servers) await requestsPerSecond(port, 1)
  for (let round = 0; round < rounds; round++) {
    for (const { contender, port } of round % 2 === 0 ? servers : servers.toReversed()) {
      rates.get(contender.name)?.push(await requestsPerSecond(port, seconds))
    }
  }
  for (const { child } of servers) child.disconnect()
  return rates
}

/** Cold, then expired with a stale copy: handler runs, and what a thousand callers wait. */
async function measureHerd(): Promise<void> {
  const figures = new Map<string, Record<string, number[]>>()
  for (let round = 0; round < (quick ? 3 : 7); round++) {
    for (const contender of available) {
      const own = figures.get(contender.name) ?? {
        coldRuns: [],
        coldSlowest: [],
        staleRuns: [],
        staleP50: [],
        freshP50: [],
      }
      figures.set(contender.name, own)
      const { child, port } = await start(contender, { bytes: 1024, delay: 200, maxAge: 2 })
      const herd = new Herd(port, 1000)
      await herd.ask('/warm')
      await herd.ask('/warm')
      await runsOf(child)
      const cold = await herd.ask('/page')
      own['coldSlowest']?.push(Math.max(...cold))
      own['coldRuns']?.push(await runsOf(child))
      own['freshP50']?.push(median(await herd.ask('/page')))
      await delay(2500)
      await runsOf(child)
      own['staleP50']?.push(median(await herd.ask('/page')))
      await delay(300)
      own['staleRuns']?.push(await runsOf(child))
      herd.close()
      child.disconnect()
    }
  }
  for (const figure of ['coldRuns', 'coldSlowest', 'staleRuns', 'staleP50', 'freshP50']) {
    const values = new Map([...figures].map(([name, own]) => [name, own[figure] ?? []] as const))
    report(`1000 at once, handler of 200 ms: ${figure}`, values, median)
  }
}

async function start(contender: Contender, load: Load): Promise<{ child: ChildProcess; port: number }> {
  const script = fileURLToPath(new URL('server.ts', import.meta.url))
  const child = fork(script, [contender.name, JSON.stringify(load)], { execArgv: ['--import', 'tsx'] })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return { child, port }
}

async function runsOf(child: ChildProcess): Promise<number> {
  child.send('runs')
  const [{ runs }] = (await once(child, 'message')) as [{ runs: number }]
  return runs
}

async function requestsPerSecond(port: number, duration: number): Promise<number> {
  const url = `http://127.0.0.1:${port}/page`
  const wrk = process.env['WRK'] ?? 'wrk'
  if (spawnSync(wrk, ['-v']).error === undefined) {
    const { stdout } = await promisify(execFile)(wrk, ['-t1', '-c64', `-d${duration}s`, url])
    if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout)
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
  }
  const bin = fileURLToPath(new URL('node_modules/.bin/autocannon', import.meta.url))
  const { stdout } = await promisify(execFile)(bin, ['-j', '-n', '-c', '64', '-d', String(duration), url])
  return (JSON.parse(stdout) as { requests: { average: number } }).requests.average
}

function optionAfter(flag: string): string | undefined {
  const at = process.argv.indexOf(flag)
  return at < 0 ? undefined : process.argv[at + 1]
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function report(
  what: string,
  values: ReadonlyMap<string, readonly number[]>,
  figure: (own: readonly number[], contender: Contender) => number | undefined,
): void {
  console.log(`\n${what}`)
  results[what] = {}
  for (const contender of available) {
    const value = figure(values.get(contender.name) ?? [], contender)
    if (value === undefined) continue
    results[what][contender.name] = Number(value.toPrecision(3))
    console.log(`  ${contender.name.padEnd(32)} ${value.toPrecision(3)}`)
  }
}
