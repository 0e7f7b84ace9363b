import type { Report } from '../measure/report.ts'
import { median } from '../measure/statistics.ts'
import { flush } from './redis-hits.ts'
import type { Crowded } from './crowd-worker.ts'
import { Worker } from './workers.ts'

const KEYS = 10_000
export const PROCESSES = 8
const MAX_LOADS = 20
const LOAD_TIME = 50
/** ms that all processes have to get ready for the moment at which they ask. */
const LEAD = 500

/** What has come of one crowd. */
export interface Crowd {
  /** Its question. */
  readonly what: string
  /** Of the time until every process has every key, to that of the loads alone. */
  readonly ratio: number
  /** Loads at once. */
  readonly most: number
  readonly loads: number
}

/** Every process asks for all keys at one moment, none is stored, and the database takes so many queries at once. */
export async function measureCrowd(report: Report, url: string, quick: boolean): Promise<void> {
  const workers = Array.from({ length: PROCESSES }, () => new Worker())
  const crowds: Crowd[] = []
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    crowds.push(await crowdOnce(workers, url, `crowd-${round}`, quick ? KEYS / 10 : KEYS))
  }
  for (const worker of workers) worker.end()
  const what = crowds[0]?.what
  const of = (name: 'ratio' | 'most' | 'loads'): Map<string, number> =>
    new Map([['herdlock', median(crowds.map((each) => each[name]))]])
  report.add(`${what}: time until all are warm, as a share of the ideal`, of('ratio'))
  report.add(`${what}: most loads at once`, of('most'))
  report.add(`${what}: loads`, of('loads'))
  await flush(url)
}

export async function crowdOnce(workers: readonly Worker[], url: string, prefix: string, keys: number): Promise<Crowd> {
  const setup = { url, prefix, keys, maxLoads: MAX_LOADS, loadTime: LOAD_TIME }
  await Promise.all(workers.map((worker) => worker.obey({ do: 'crowd-open', setup })))
  const at = process.hrtime.bigint() + BigInt(LEAD * 1_000_000)
  const order = { do: 'crowd', at: String(at) } as const
  const crowded = await Promise.all(workers.map((worker) => worker.obey<Crowded>(order)))
  const loads = crowded.flatMap((each) => each.loads)
  const took = Math.max(...crowded.map(({ last }) => last)) - Number(at) / 1e6
  return {
    what: `${keys} keys, ${workers.length} processes, ${MAX_LOADS} loads of ${LOAD_TIME} ms at once`,
    ratio: took / ((keys * LOAD_TIME) / MAX_LOADS),
    most: mostAtOnce(loads),
    loads: loads.length,
  }
}

/** The most of these spans of time that overlap. */
function mostAtOnce(spans: readonly (readonly [start: number, end: number])[]): number {
  const steps = spans.flatMap(([start, end]) => [[start, 1] as const, [end, -1] as const])
  let now = 0
  let most = 0
  // Of two at one instant the end comes first.
  for (const [, step] of steps.toSorted((one, other) => one[0] - other[0] || one[1] - other[1])) {
    now += step
    most = Math.max(most, now)
  }
  return most
}
