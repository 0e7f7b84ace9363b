import { setTimeout as delay } from 'node:timers/promises'

import { median } from '../measure/statistics.ts'
import type { Contestant, Started } from './contestants.ts'
import { type Answer, Herd } from './herd.ts'
import { LEFT_BYTES, WORK } from './origin.ts'

/** Rows by contestant. */
type Table = Record<string, Record<string, number | string>>

const CROWD = 40
const WAITERS = 20

/** What happens when many ask at once: a table a scene, its figures the medians of `rounds`. */
export async function playScenes(all: readonly Contestant[], rounds: number): Promise<Record<string, Table>> {
  const tables: Record<string, Table> = {}
  const servers = await Promise.all(all.map((contestant) => contestant.start({ bytes: 1024, delay: 0, maxAge: 1 })))
  try {
    for (const [title, play] of Object.entries(scenes)) {
      const table: Table = {}
      for (const server of servers) {
        const figures: Array<Record<string, number>> = []
        for (let round = 0; round < rounds; round++) figures.push(await play(server, `?${round}`))
        table[server.name] = medians(figures)
      }
      console.log(`\n${title}`)
      console.table(table)
      tables[title] = table
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
  }
  return tables
}

const scenes: Record<string, (server: Started, query: string) => Promise<Record<string, number>>> = {
  [`cold, cacheable: ${CROWD} at once, handler of ${WORK} ms`]: async (server, query) => {
    const answers = await crowd(server, (herd) => herd.ask(`/cacheable${query}`))
    return { runs: await server.runs(), slowest: slowest(answers), wrong: wrong(answers, () => 'for everybody') }
  },
  [`cold, private: ${CROWD} at once, handler of ${WORK} ms, then ${CROWD} more`]: async (server, query) => {
    const users = (index: number) => `user ${index}`
    const ask = (herd: Herd) => herd.ask(`/private${query}`, (index) => ({ 'X-User': users(index) }))
    const first = await crowd(server, ask)
    const runs = await server.runs()
    const second = await crowd(server, ask)
    const own = (index: number) => `for ${users(index)}`
    return {
      runs,
      slowest: slowest(first),
      'slowest of the next': slowest(second),
      "another's page": wrong(first, own) + wrong(second, own),
    }
  },
  [`expired with a stale copy: ${CROWD} at once, handler of ${WORK} ms`]: async (server, query) => {
    const path = `/expiring${query}`
    await crowd(server, (herd) => herd.ask(path))
    await delay(2100) // a second, and one that caches which reckon in whole seconds add
    await server.runs()
    const answers = await crowd(server, (herd) => herd.ask(path))
    await delay(2 * WORK)
    return { runs: await server.runs(), slowest: slowest(answers), wrong: wrong(answers, () => 'for everybody') }
  },
  [`the first client leaves in the middle, ${WAITERS} wait`]: async (server, query) => {
    const herd = await new Herd(server.port, WAITERS).gather()
    await server.runs()
    const left = herd.leaveDuring(`/left${query}`)
    await delay(50)
    const answers = await herd.ask(`/left${query}`)
    await left
    herd.close()
    return { runs: await server.runs(), whole: whole(answers, LEFT_BYTES), slowest: slowest(answers) }
  },
  [`the answer takes a second to be written, ${WAITERS} ask at once`]: async (server, query) => {
    const herd = await new Herd(server.port, WAITERS).gather()
    await server.runs()
    const answers = await herd.ask(`/streaming${query}`)
    herd.close()
    const firstBytes = answers.map(({ firstByte }) => firstByte)
    return { runs: await server.runs(), 'first byte': median(firstBytes), 'last first byte': Math.max(...firstBytes) }
  },
}

async function crowd(server: Started, ask: (herd: Herd) => Promise<Answer[]>): Promise<Answer[]> {
  const herd = await new Herd(server.port, CROWD).gather()
  try {
    return await ask(herd)
  } finally {
    herd.close()
  }
}

function slowest(answers: readonly Answer[]): number {
  return Math.max(...answers.map(({ lastByte }) => lastByte))
}

function wrong(answers: readonly Answer[], expected: (index: number) => string): number {
  return answers.filter(({ body, status }, index) => status !== 200 || body !== expected(index)).length
}

function whole(answers: readonly Answer[], bytes: number): number {
  return answers.filter(({ body, status, complete }) => status === 200 && complete && body.length === bytes).length
}

function medians(rounds: ReadonlyArray<Record<string, number>>): Record<string, number> {
  const names = Object.keys(rounds[0] ?? {})
  return Object.fromEntries(
    names.map((name) => [name, Math.round(10 * median(rounds.map((round) => round[name] ?? Number.NaN))) / 10]),
  )
}
