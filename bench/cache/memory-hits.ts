import type { Report } from '../measure/report.ts'
import { median, rotated } from '../measure/statistics.ts'
import type { Contender } from './contender.ts'
import { contenders } from './contenders.ts'
import { herdlockWithRedis } from './herdlock.ts'
import { keysOf, startWorker, type Worker } from './workers.ts'

const KEYS = 1000

/** Fresh hits in memory. Processes are begun anew several times: the compiler does not decide alike in each. */
export async function measureMemoryHits(report: Report, url: string, quick: boolean): Promise<void> {
  const [hits, bursts, peeks] = [new Map(), new Map(), new Map()] as [Figures, Figures, Figures]
  for (let generation = 0; generation < (quick ? 1 : 4); generation++) {
    const workers = await startAll(contenders.memoryHits, url)
    for (let round = 0; round < (quick ? 3 : 5); round++) {
      for (const [contender, worker] of rotated([...workers], round)) {
        const count = isSlow(contender) ? 20_000 : 200_000
        note(hits, contender, await worker.obey<number>({ do: 'hits', callers: 1, count }))
        note(bursts, contender, await worker.obey<number>({ do: 'bursts', count }))
      }
    }
    for (const worker of workers.values()) worker.end()
    const peekers = await startAll(contenders.peeks, undefined)
    for (let round = 0; round < (quick ? 3 : 5); round++) {
      for (const [contender, worker] of rotated([...peekers], round)) {
        note(peeks, contender, await worker.obey<number>({ do: 'peeks', count: 2_000_000 }))
      }
    }
    for (const worker of peekers.values()) worker.end()
  }
  report.add('hit in memory, one after another: share of the limit', shares(hits))
  report.add('hit in memory, 1000 at once: share of the limit', shares(bursts))
  report.add('look into memory without waiting: share of Map.get', shares(peeks))
  report.add('garbage of a hit in memory: bytes', await measureGarbage(url))
}

type Figures = Map<Contender, number[]>

/** Slower than the limit by so much that fewer rounds say as much. */
function isSlow({ name }: Contender): boolean {
  return /^(async-cache-dedupe|cachified|bentocache|cacheable)/.test(name)
}

async function startAll(list: readonly Contender[], url: string | undefined): Promise<Map<Contender, Worker>> {
  const workers = new Map<Contender, Worker>()
  for (const contender of list) {
    const worker = await startWorker(contender, contender === herdlockWithRedis ? { url } : {})
    workers.set(contender, worker)
    await worker.obey({ do: 'fill', keys: keysOf(list, contender, KEYS), rounds: 30 })
  }
  return workers
}

async function measureGarbage(url: string): Promise<Map<string, number>> {
  const figures = new Map<string, number>()
  const flags = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256']
  for (const contender of contenders.memoryHits) {
    const worker = await startWorker(contender, contender === herdlockWithRedis ? { url } : {}, flags)
    await worker.obey({ do: 'fill', keys: keysOf(contenders.memoryHits, contender, KEYS), rounds: 30 })
    const bytes: number[] = []
    for (let round = 0; round < 9; round++) bytes.push(await worker.obey<number>({ do: 'garbage', count: 20_000 }))
    figures.set(contender.name, median(bytes.filter((each) => !Number.isNaN(each)).slice(2)))
    worker.end()
  }
  return figures
}

function note(figures: Figures, contender: Contender, figure: number): void {
  const own = figures.get(contender) ?? []
  figures.set(contender, own)
  own.push(figure)
}

function shares(figures: Figures): Map<string, number> {
  const [first = []] = figures.values()
  return new Map([...figures].map(([{ name }, own]) => [name, median(own) / median(first)]))
}
