import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import type { Report } from '../measure/report.ts'
import { median, rotated } from '../measure/statistics.ts'
import { BARE, peers } from './contenders.ts'
import type { Contestant } from './contestants.ts'
import { whereIs } from './proxies.ts'

/** Fresh hits a second, 64 connections: as shares of a server without a cache, and of the limit at the same place. */
export async function measureHits(
  report: Report,
  all: readonly Contestant[],
  bytes: number,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<void> {
  const servers = await Promise.all(all.map((contestant) => contestant.start({ bytes, delay: 0, maxAge: 3600 })))
  const rates = new Map<string, number[]>(all.map(({ name }) => [name, []]))
  try {
    for (const { name, port } of servers) {
      await requestsPerSecond(port, 1).catch((error: unknown) => {
        throw new Error(`${name} does not answer as it should`, { cause: error })
      })
    }
    for (let round = 0; round < rounds; round++) {
      for (const { name, port } of rotated(servers, round)) {
        rates.get(name)?.push(await requestsPerSecond(port, seconds))
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
  }
  const rateOf = (name: string): number => median(rates.get(name) ?? [])
  const { rate, share } = hitQuestions(bytes)
  report.add(rate, new Map(all.map(({ name }) => [name, rateOf(name)])))
  report.add(
    `${rate}, as a share of bare node:http`,
    new Map(all.map(({ name }) => [name, rateOf(name) / rateOf(BARE)])),
  )
  report.add(
    share,
    new Map(all.map(({ name, limit }) => [name, limit === undefined ? undefined : rateOf(name) / rateOf(limit)])),
  )
}

/** As the results name them. */
export function hitQuestions(bytes: number): { rate: string; share: string } {
  const rate = `hits per second, ${bytes / 1024} KB`
  return { rate, share: `${rate}, as a share of the limit at the same place` }
}

export async function requestsPerSecond(port: number, duration: number): Promise<number> {
  const url = `http://127.0.0.1:${port}/page`
  const wrk = whereIs('wrk')
  if (wrk !== undefined) {
    const { stdout } = await promisify(execFile)(wrk, ['-t1', '-c64', `-d${duration}s`, url])
    if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout)
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
  }
  const autocannon = peers('autocannon') as (options: object) => Promise<Cannonade>
  const { requests, errors, non2xx } = await autocannon({ url, connections: 64, duration })
  if (errors + non2xx > 0) throw new Error(`${errors} errors, ${non2xx} answers that are no success`)
  return requests.average
}

interface Cannonade {
  readonly requests: { readonly average: number }
  readonly errors: number
  readonly non2xx: number
}
