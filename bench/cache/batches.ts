import type { Report } from '../measure/report.ts'
import { median } from '../measure/statistics.ts'
import type { Batched, BatchSetup } from './batch-worker.ts'
import { flush } from './redis-hits.ts'
import { Worker } from './workers.ts'

const KEYS = 10_000

/**
 * CPU of one call for so many cold keys, or of as many calls in one tick, and of MGET and a pipeline of SETs: the first time
 * in a process, and later ones.
 */
export async function measureBatches(report: Report, url: string, quick: boolean): Promise<void> {
  await measureBy('one call', `${KEYS} cold keys in one call`, report, url, quick)
  await measureBy('single calls', `${KEYS} cold keys, a call for each in one tick`, report, url, quick)
}

async function measureBy(
  by: BatchSetup['by'],
  name: string,
  report: Report,
  url: string,
  quick: boolean,
): Promise<void> {
  const first: Batched[] = []
  const later: Batched[] = []
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    const worker = new Worker()
    const setup = { url, keys: KEYS, by, rounds: 8 }
    const { herdlock, plain } = await worker.obey<Batched>({ do: 'batches', setup })
    worker.end()
    await flush(url)
    first.push({ herdlock: herdlock.slice(0, 1), plain: plain.slice(0, 1) })
    later.push({ herdlock: herdlock.slice(3), plain: plain.slice(3) })
  }
  const add = (what: string, figures: readonly Batched[]): void => {
    const of = (name: keyof Batched): number => median(figures.flatMap((each) => each[name]))
    const title = `${name}, ${what}`
    report.add(
      `${title}: CPU, µs a key`,
      new Map([
        ['herdlock', (of('herdlock') * 1000) / KEYS],
        ['MGET and pipelined SETs', (of('plain') * 1000) / KEYS],
      ]),
    )
    report.add(
      `${title}: CPU, times that of MGET and pipelined SETs`,
      new Map([['herdlock', of('herdlock') / of('plain')]]),
    )
  }
  add('the first of a process', first)
  add('warmed', later)
}
