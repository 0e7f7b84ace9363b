import { setTimeout as delay } from 'node:timers/promises'
import { startProxy } from '../../test/support/tcp-proxy.ts'
import { countCommands } from '../measure/commands.ts'
import type { Report } from '../measure/report.ts'
import { median, quantile, rotated } from '../measure/statistics.ts'
import type { Contender } from './contender.ts'
import { contenders } from './contenders.ts'
import { flush, ping } from './redis-hits.ts'
import { startWorker, type Work, type Worker } from './workers.ts'
import type { Herded } from './worker.ts'

export const LOAD_TIME = 100
export const PROCESSES = 8
/** ms that all processes have to get ready for the moment at which they ask. */
const LEAD = 40
/** Herds before the first that counts: as in a service that has been running for a while, the code has been compiled. */
const WARM_UPS = 10
/** ms until what goes on in the background is over. */
const AFTERMATH = 150
/** ms: values that are stale a second later, and ms until they are. */
export const SOON_STALE = { ttl: 1000, stale: 600_000 } as const
export const UNTIL_STALE = 1500

interface Figures {
  readonly runs: number[]
  readonly last: number[]
  readonly commands: number[]
  readonly p50: number[]
  readonly p99: number[]
}

type Groups = ReadonlyMap<Contender, readonly Worker[]>

/** All callers of all processes ask at one moment for one key that is not stored. */
export async function measureCold(report: Report, url: string, quick: boolean): Promise<void> {
  const groups = await startGroups({ url, loadTime: LOAD_TIME }, PROCESSES)
  for (const processes of [2, 4, 8]) {
    for (const callers of [100, 1000]) {
      const all = await rounds(groups, url, quick ? 3 : 9, processes, callers, async () => {})
      const what = `nothing stored, ${processes} processes x ${callers} callers`
      report.add(
        `${what}: loader runs`,
        figuresOf(all, ({ runs }) => median(runs)),
      )
      report.add(
        `${what}: ms until the last caller is answered`,
        figuresOf(all, ({ last }) => median(last)),
      )
      report.add(
        `${what}: commands`,
        figuresOf(all, ({ commands }) => median(commands)),
      )
    }
  }
  end(groups)
  await flush(url)
}

/** Every process has the value in memory, or Redis has it for those without; then its ttl ends, and all ask for it. */
export async function measureStale(report: Report, url: string, quick: boolean): Promise<void> {
  const groups = await startGroups({ url, loadTime: LOAD_TIME, ...SOON_STALE }, PROCESSES)
  for (const processes of [2, 4, 8]) {
    for (const callers of [100, 1000]) {
      const know = async (key: string): Promise<void> => {
        for (const [contender, workers] of groups) await learn(workers.slice(0, processes), ownKey(contender, key))
        await delay(UNTIL_STALE)
        for (const workers of groups.values()) for (const worker of workers) await worker.obey({ do: 'loads' })
      }
      const all = await rounds(groups, url, quick ? 3 : 9, processes, callers, know)
      const what = `stale value, ${processes} processes x ${callers} callers`
      report.add(
        `${what}: loader runs`,
        figuresOf(all, ({ runs }) => median(runs)),
      )
      report.add(
        `${what}: ms a caller waits, p50`,
        figuresOf(all, ({ p50 }) => median(p50)),
      )
      report.add(
        `${what}: ms a caller waits, p99`,
        figuresOf(all, ({ p99 }) => median(p99)),
      )
      report.add(
        `${what}: commands`,
        figuresOf(all, ({ commands }) => median(commands)),
      )
    }
  }
  end(groups)
  await flush(url)
}

/** With a network between that takes 20 ms there and back: how often that was waited for. */
export async function measureDistance(report: Report, url: string, quick: boolean): Promise<void> {
  const { hostname: host, port } = new URL(url)
  const proxy = await startProxy({ host, port: Number(port) })
  const away = `redis://${proxy.host}:${proxy.port}`
  const groups = await startGroups({ url: away, loadTime: LOAD_TIME }, PROCESSES)
  proxy.delay(10)
  const roundTrip = await ping(away)
  const all = await rounds(groups, undefined, quick ? 3 : 7, PROCESSES, 1000, async () => {})
  end(groups)
  await proxy.close()
  await flush(url)
  report.add(
    `nothing stored, Redis 20 ms away, ${PROCESSES} processes x 1000 callers: round trips beyond the load`,
    figuresOf(all, ({ last }) => (median(last) - LOAD_TIME) / roundTrip),
  )
}

async function startGroups(work: Work, processes: number): Promise<Map<Contender, Worker[]>> {
  const groups = new Map<Contender, Worker[]>()
  for (const contender of contenders.herds) {
    const workers = await Promise.all(Array.from({ length: processes }, () => startWorker(contender, work)))
    groups.set(contender, workers)
    // Connections, subscribers and scripts are there, and the code is compiled, before anything is measured.
    for (let i = 0; i < WARM_UPS; i++) await askAll(workers, ownKey(contender, `warm:${i}`), 1000)
  }
  return groups
}

/** Each round in every contender before the next; every third round is counted, the others are timed. */
async function rounds(
  groups: Groups,
  url: string | undefined,
  count: number,
  processes: number,
  callers: number,
  prepare: (key: string) => Promise<void>,
): Promise<Map<Contender, Figures>> {
  const all = new Map<Contender, Figures>(
    [...groups.keys()].map((contender) => [contender, { runs: [], last: [], commands: [], p50: [], p99: [] }]),
  )
  for (let round = 0; round < count; round++) {
    const key = `herd:${processes}:${callers}:${round}`
    await prepare(key)
    for (const [contender, workers] of rotated([...groups], round)) {
      const own = all.get(contender) as Figures
      const counter = url !== undefined && round % 3 === 0 ? await countCommands(url) : undefined
      const { runs, last, waits } = await askAtOnce(workers.slice(0, processes), ownKey(contender, key), callers)
      own.runs.push(runs)
      if (counter !== undefined) {
        own.commands.push(await counter.stop())
        continue
      }
      own.last.push(last)
      own.p50.push(quantile(waits, 0.5))
      own.p99.push(quantile(waits, 0.99))
    }
  }
  return all
}

/** One herd; times in ms. */
export interface Herd {
  /** Of the loader. */
  readonly runs: number
  /** From the moment at which all ask until the last is answered. */
  readonly last: number
  readonly waits: readonly number[]
}

/** So many callers in each of these processes ask at one moment; resolves when all is over, in the background, too. */
export async function askAtOnce(workers: readonly Worker[], key: string, callers: number): Promise<Herd> {
  const at = process.hrtime.bigint() + BigInt(LEAD * 1_000_000)
  const herded = await askAll(workers, key, callers, at)
  await delay(AFTERMATH)
  const runs = await Promise.all(workers.map((worker) => worker.obey<number>({ do: 'loads' })))
  return {
    runs: runs.reduce((sum, each) => sum + each, 0),
    last: Math.max(...herded.map(({ last }) => Number(BigInt(last) - at) / 1e6)),
    waits: herded.flatMap((each) => each.waits),
  }
}

/** Some store under the key as it is: nobody is to find what another has stored. */
export function ownKey(contender: Contender, key: string): string {
  return `${contenders.herds.indexOf(contender as (typeof contenders.herds)[number])}:${key}`
}

/** One process loads the value, so that all of them have it. */
export async function learn(workers: readonly Worker[], key: string): Promise<void> {
  await askAll(workers.slice(0, 1), key, 1)
  await askAll(workers, key, 1)
}

function askAll(workers: readonly Worker[], key: string, callers: number, at = 0n): Promise<Herded[]> {
  return Promise.all(workers.map((worker) => worker.obey<Herded>({ do: 'herd', key, callers, at: String(at) })))
}

function end(groups: Groups): void {
  for (const worker of [...groups.values()].flat()) worker.end()
}

function figuresOf(all: ReadonlyMap<Contender, Figures>, figure: (own: Figures) => number): Map<string, number> {
  return new Map([...all].map(([{ name }, own]) => [name, figure(own)]))
}
