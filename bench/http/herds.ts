import { setTimeout as delay } from 'node:timers/promises'

import type { Report } from '../measure/report.ts'
import { median, rotated } from '../measure/statistics.ts'
import type { Contestant, Started } from './contestants.ts'
import { type Answer, Herd } from './herd.ts'

export const HERD = 1000
export const WORK = 200
const TITLES = {
  coldRuns: 'cold: handler runs',
  coldSlowest: 'cold: slowest answer, ms',
  freshP50: 'fresh: median answer, ms',
  staleRuns: 'expired: handler runs',
  staleP50: 'expired: median answer, ms',
  failed: 'answers that failed',
} as const
type Figure = keyof typeof TITLES
type Figures = Record<Figure, number>
export const FIGURES = Object.keys(TITLES) as readonly Figure[]

export function figureQuestion(figure: Figure): string {
  return `${HERD} at once, handler of ${WORK} ms, ${TITLES[figure]}`
}

/** A thousand at once on a handler that takes 200 ms: the page is new, then fresh, then expired with a stale copy. */
export async function measureHerds(report: Report, all: readonly Contestant[], rounds: number): Promise<void> {
  const servers = await Promise.all(all.map((contestant) => contestant.start({ bytes: 1024, delay: WORK, maxAge: 1 })))
  const figures = new Map<string, Figures[]>(all.map(({ name }) => [name, []]))
  try {
    for (let round = 0; round < rounds; round++) {
      for (const server of rotated(servers, round)) {
        const herd = await new Herd(server.port, HERD).gather()
        figures.get(server.name)?.push(await measureHerd(server, `/page?${round}`, herd))
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
  }
  for (const figure of FIGURES) {
    const medians = all.map(({ name }) => {
      const own = figures.get(name) ?? []
      return [name, median(own.map((each) => each[figure]))] as const
    })
    report.add(figureQuestion(figure), new Map(medians))
  }
}

/** The page is cold, then fresh, then stale. Ends the herd. */
export async function measureHerd(server: Started, path: string, herd: Herd): Promise<Figures> {
  await server.runs()
  const cold = await herd.ask(path)
  const coldRuns = await server.runs()
  const fresh = await herd.ask(path)
  await delay(2100) // a second, and one that caches which reckon in whole seconds add
  await server.runs()
  const stale = await herd.ask(path)
  await delay(WORK + 100)
  const staleRuns = await server.runs()
  herd.close()
  const failed = [...cold, ...fresh, ...stale].filter(({ status, body }) => status !== 200 || body === '').length
  return { coldRuns, coldSlowest: slowest(cold), freshP50: p50(fresh), staleRuns, staleP50: p50(stale), failed }
}

function slowest(answers: readonly Answer[]): number {
  return Math.max(...answers.map(({ lastByte }) => lastByte))
}

function p50(answers: readonly Answer[]): number {
  return median(answers.map(({ lastByte }) => lastByte))
}
