import { FIRST_SECOND, inNewProcesses } from '../measure/first-second.ts'
import type { Report } from '../measure/report.ts'
import { median } from '../measure/statistics.ts'
import type { Contestant } from './contestants.ts'
import { FIGURES, figureQuestion, HERD, measureHerd, WORK } from './herds.ts'
import { Herd } from './herd.ts'
import { hitQuestions, requestsPerSecond } from './hits.ts'

/**
 * Hits and herds on servers that have just started: herdlock and the limit at the same place. What is hit has been asked
 * for once. A herd opens its connections as it asks, because a request that went before would warm the server.
 */
export async function measureFirstSecond(
  report: Report,
  all: readonly Contestant[],
  generations: number,
): Promise<void> {
  const ours = all.filter(({ name }) => name.startsWith('herdlock'))
  const list = all.filter((each) => ours.includes(each) || ours.some(({ limit }) => limit === each.name))
  for (const bytes of [1024, 100 * 1024]) await measureHits(report, list, bytes, generations)
  await measureHerds(report, list, generations)
}

async function measureHits(
  report: Report,
  list: readonly Contestant[],
  bytes: number,
  generations: number,
): Promise<void> {
  const rates = await inNewProcesses(list, generations, async (contestant) => {
    const server = await contestant.start({ bytes, delay: 0, maxAge: 3600 })
    const once = new Herd(server.port, 1)
    await once.ask('/page')
    once.close()
    const rate = await requestsPerSecond(server.port, 1)
    await server.stop()
    return rate
  })
  const rateOf = (name: string): number => {
    const contestant = list.find((each) => each.name === name) as Contestant
    return median(rates.get(contestant) ?? [])
  }
  const { rate, share } = hitQuestions(bytes)
  report.add(`${FIRST_SECOND}: ${rate}`, new Map(list.map(({ name }) => [name, rateOf(name)])))
  const shares = list.map(
    ({ name, limit }) => [name, limit === undefined ? undefined : rateOf(name) / rateOf(limit)] as const,
  )
  report.add(`${FIRST_SECOND}: ${share}`, new Map(shares))
}

async function measureHerds(report: Report, list: readonly Contestant[], generations: number): Promise<void> {
  const herds = await inNewProcesses(list, generations, async (contestant) => {
    const server = await contestant.start({ bytes: 1024, delay: WORK, maxAge: 1 })
    const figures = await measureHerd(server, '/page', new Herd(server.port, HERD))
    await server.stop()
    return figures
  })
  for (const figure of FIGURES) {
    const medians = [...herds].map(([{ name }, own]) => [name, median(own.map((each) => each[figure]))] as const)
    report.add(`${FIRST_SECOND}: ${figureQuestion(figure)}`, new Map(medians))
  }
}
