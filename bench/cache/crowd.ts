import type { Report } from '../measure/report.ts'
import { median } from '../measure/statistics.ts'
import { flush } from './redis-hits.ts'
import type { Crowded } from './crowd-worker.ts'
import { Worker } from './workers.ts'

const KEYS = 10_000
const PROCESSES = 8
const MAX_LOADS = 20
const LOAD_TIME = 50
/** ms that all processes have to get ready for the moment at which they ask. */
const LEAD = 500

/** Every process asks for all keys at one moment, none is stored, and the database takes so many queries at once. */
export async function measureCrowd(report: Report, url: string, quick: boolean): Promise<void> {
  const keys = quick ? KEYS / 10 : KEYS
  const ideal = (keys * LOAD_TIME) / MAX_LOADS
  const workers = Array.from({ length: PROCESSES }, () => new Worker())
  const figures: { ratio: number; most: number; loads: number }[] = []
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    const setup = { url, prefix: `crowd-${round}`, keys, maxLoads: MAX_LOADS, loadTime: LOAD_TIME }
    await Promise.all(workers.map((worker) => worker.obey({ do: 'crowd-open', setup })))
    const at = process.hrtime.bigint() + BigInt(LEAD * 1_000_000)
    const order = { do: 'crowd', at: String(at) } as const
    const crowded = await Promise.all(workers.map((worker) => worker.obey<Crowded>(order)))
    const loads = crowded.flatMap((each) => each.loads)
    const took = Math.max(...crowded.map(({ last }) => last)) - Number(at) / 1e6
    figures.push({ ratio: took / ideal, most: mostAtOnce(loads), loads: loads.length })
  }
  for (const worker of workers) worker.end()
  const what = `${keys} keys, ${PROCESSES} processes, ${MAX_LOADS} loads of ${LOAD_TIME} ms at once`
  const of = (name: 'ratio' | 'most' | 'loads'): Map<string, number> =>
    new Map([['herdlock', median(figures.map((each) => each[name]))]])
  report.add(`${what}: time until all are warm, as a share of the ideal`, of('ratio'))
  report.add(`${what}: most loads at once`, of('most'))
  report.add(`${what}: loads`, of('loads'))
  await flush(url)
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
