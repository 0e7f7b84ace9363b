import type { Report } from '../measure/report.ts'
import { median, rotated } from '../measure/statistics.ts'
import { contenders } from './contenders.ts'
import { setupOf, startWorker, Worker } from './workers.ts'
import type { Waited } from './worker.ts'

export const GC_FLAGS = ['--expose-gc', '--max-old-space-size=4096']

/** What an entry costs in memory. */
export async function measureEntries(report: Report, quick: boolean): Promise<void> {
  for (const count of quick ? [10_000, 100_000] : [10_000, 100_000, 1_000_000]) {
    const figures = new Map<string, number>()
    for (const { name } of contenders.entries) {
      const worker = new Worker(GC_FLAGS)
      const setup = setupOf({ maxEntries: count })
      figures.set(name, await worker.obey<number>({ do: 'entries', contender: name, setup, count }))
      worker.end()
    }
    const raw = figures.get(contenders.entries[0].name) ?? Number.NaN
    report.add(`bytes an entry, ${count} entries`, figures)
    report.add(
      `bytes an entry, ${count} entries: share of raw lru-cache`,
      new Map([...figures].map(([name, bytes]) => [name, bytes / raw])),
    )
  }
}

/** Waiters on loads in the same process; ten thousand in all, so that one load's own costs do not count for much. */
export async function measureWaiters(report: Report, quick: boolean): Promise<void> {
  for (const waiters of [10, 100, 1000, 10_000]) {
    const workers = new Map<string, Worker>()
    for (const contender of contenders.waiters) workers.set(contender.name, await startWorker(contender, {}, GC_FLAGS))
    const all = new Map<string, Waited[]>([...workers.keys()].map((name) => [name, []]))
    for (let round = 0; round < (quick ? 5 : 15); round++) {
      for (const [name, worker] of rotated([...workers], round)) {
        all.get(name)?.push(await worker.obey<Waited>({ do: 'waiters', waiters, flights: 10_000 / waiters }))
      }
    }
    for (const worker of workers.values()) worker.end()
    const measured = (figure: (waited: Waited) => number): Map<string, number> =>
      new Map([...all].map(([name, own]) => [name, median(own.slice(1).map(figure))]))
    report.add(
      `${waiters} waiters a load: bytes a waiter`,
      measured(({ bytes }) => bytes),
    )
    const awake = measured(({ lastAwake }) => lastAwake)
    const shared = awake.get(contenders.waiters[0].name) ?? Number.NaN
    report.add(
      `${waiters} waiters a load: until the last is awake, against one shared promise`,
      new Map([...awake].map(([name, ms]) => [name, ms / shared])),
    )
  }
}
