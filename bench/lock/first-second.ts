import { FIRST_SECOND, FIRST_TENTH, inNewProcesses, type Rates } from '../measure/first-second.ts'
import { median } from '../measure/statistics.ts'
import type { Contender } from './contender.ts'
import { herdlock } from './contenders.ts'
import { handOffLimit, pairLimit } from './limit.ts'
import { handOff, oneChain, PAIRS, PROCESSES } from './measure.ts'
import { startWorkers, type Worker } from './workers.ts'

type Figures = ReadonlyMap<string, number>

/**
 * Pairs and hand-offs by processes that have just started, against the limit alone; figures by question. A process is
 * ready when it has had one lock of its own, so that its connections are there; its code is cold.
 */
export async function measureFirstSecond(url: string, generations: number): Promise<Map<string, Figures>> {
  const pairs = await inNewProcesses([pairLimit, herdlock], generations, async (contender) => {
    const [worker] = await startReady(contender, url, 1)
    const rates = await worker.obey<Rates>({ do: 'first-pairs', concurrency: 100 })
    worker.end()
    return rates
  })
  const questions = new Map<string, Figures>([
    [`${FIRST_TENTH}: ${PAIRS}`, shares(pairs, ({ tenth }) => tenth)],
    [`${FIRST_SECOND}: ${PAIRS}`, shares(pairs, ({ second }) => second)],
  ])
  for (const waiters of [2, 10, 100]) {
    const latencies = await inNewProcesses([handOffLimit, herdlock], generations, async (contender, generation) => {
      const workers = await startReady(contender, url, PROCESSES)
      const chain = await oneChain(workers, url, `first:${waiters}:${generation}`, waiters, false)
      for (const worker of workers) worker.end()
      return chain.latencies
    })
    const medians = [...latencies].map(([{ name }, own]) => [name, median(own.flat())] as const)
    questions.set(`${FIRST_SECOND}: ${handOff(waiters)}`, new Map(medians))
  }
  return questions
}

async function startReady(contender: Contender, url: string, count: number): Promise<[Worker, ...Worker[]]> {
  const workers = await startWorkers(contender.name, url, count)
  for (const worker of workers) await worker.obey({ do: 'pairs', pairs: 1, concurrency: 1 })
  return workers as [Worker, ...Worker[]]
}

/** Of the first contender's. */
function shares(all: ReadonlyMap<Contender, readonly Rates[]>, rate: (own: Rates) => number): Figures {
  const medians = [...all].map(([{ name }, own]) => [name, median(own.map(rate))] as const)
  const first = medians[0]?.[1] ?? Number.NaN
  return new Map(medians.map(([name, figure]) => [name, figure / first]))
}
