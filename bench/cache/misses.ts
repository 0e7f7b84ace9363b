import { FIRST_SECOND, inNewProcesses } from '../measure/first-second.ts'
import type { Report } from '../measure/report.ts'
import { median } from '../measure/statistics.ts'
import { contenders } from './contenders.ts'
import { startWorker } from './workers.ts'

/** Seconds of misses until all is compiled, and those that count then. */
const WARM_UPS = 2
const WARMED = 2

/** Misses in memory alone, by a loader that takes no time: a process's first second of them, and later ones. */
export async function measureMisses(report: Report, quick: boolean): Promise<void> {
  const all = await inNewProcesses(contenders.misses, quick ? 1 : 3, async (contender) => {
    const worker = await startWorker(contender, {})
    const seconds: number[] = []
    for (let i = 0; i < 1 + WARM_UPS + WARMED; i++) seconds.push(await worker.obey<number>({ do: 'misses' }))
    worker.end()
    return seconds
  })
  const medians = (of: (seconds: readonly number[]) => readonly number[]): Map<string, number> =>
    new Map([...all].map(([{ name }, own]) => [name, median(own.flatMap(of))]))
  const asked = 'miss in memory alone: CPU, µs'
  report.add(
    `${FIRST_SECOND}: ${asked}`,
    medians((seconds) => seconds.slice(0, 1)),
  )
  report.add(
    asked,
    medians((seconds) => seconds.slice(1 + WARM_UPS)),
  )
}
