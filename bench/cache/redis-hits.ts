import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { startProxy } from '../../test/support/tcp-proxy.ts'
import { countCommands } from '../measure/commands.ts'
import type { Report } from '../measure/report.ts'
import { median, rotated } from '../measure/statistics.ts'
import { clientPairs, type ClientPair } from './clients.ts'
import type { Contender } from './contender.ts'
import { contenders } from './contenders.ts'
import { keysOf, startWorker, type Worker } from './workers.ts'
import type { Timed } from './worker.ts'

export interface Size {
  readonly name: string
  readonly bytes: number
  readonly keys: number
  /** Reads in one round, by callers at once. */
  readonly reads: Readonly<Record<number, number>>
}

/** At 1 MB no thousand at once: that would be a gigabyte on its way. */
export const SIZES: readonly [small: Size, middle: Size, large: Size] = [
  { name: '100 B', bytes: 100, keys: 1000, reads: { 1: 5000, 64: 32_000, 1000: 40_000 } },
  { name: '10 KB', bytes: 10_000, keys: 1000, reads: { 1: 1000, 64: 3200, 1000: 4000 } },
  { name: '1 MB', bytes: 1_000_000, keys: 64, reads: { 1: 20, 64: 64 } },
]

/** Fresh hits in Redis, nothing kept in memory. */
export async function measureRedisHits(report: Report, url: string, quick: boolean): Promise<void> {
  for (const bytes of [false, true]) {
    for (const size of SIZES) await measureSize(report, url, quick, size, bytes)
  }
}

/** What it costs Redis and the network. */
export async function measureRedisTraffic(report: Report, url: string): Promise<void> {
  await measureCommands(report, url)
  await measureRoundTrips(report, url)
}

/** The same through each client that herdlock takes: beside the client's own reads, and beside herdlock over ioredis. */
export async function measureClientHits(report: Report, url: string, quick: boolean): Promise<void> {
  for (const size of SIZES.filter(({ bytes }) => bytes < 1_000_000)) {
    await measureRates(contenders.clientHits, url, quick, size, false, (callers, rates) => {
      const rateOf = ({ name }: Contender): number => rates.get(name) as number
      const what = clientQuestion(size, Number(callers))
      const [first] = clientPairs as [ClientPair]
      const shares = clientPairs.map(({ client, own, cached }) => [client, rateOf(cached) / rateOf(own)] as const)
      report.add(`${what} the client's own GETs`, new Map(shares))
      const among = clientPairs.map(({ client, cached }) => [client, rateOf(cached) / rateOf(first.cached)] as const)
      report.add(`${what} herdlock over ${first.client}`, new Map(among))
    })
  }
}

async function measureSize(report: Report, url: string, quick: boolean, size: Size, bytes: boolean): Promise<void> {
  const list: readonly Contender[] = bytes ? contenders.byteHits : contenders.redisHits
  await measureRates(list, url, quick, size, bytes, (callers, rates) => {
    const get = rates.get((list[0] as Contender).name) as number
    const shares = new Map([...rates].map(([name, rate]) => [name, rate / get]))
    report.add(redisQuestion(size, bytes, Number(callers)), shares)
  })
}

/** To be followed by what it is a share of. */
export function clientQuestion({ name }: Size, callers: number): string {
  return `hit in Redis by client, JSON of ${name}, ${callers} at once: herdlock's share of`
}

export function redisQuestion({ name }: Size, bytes: boolean, callers: number): string {
  return `hit in Redis, ${bytes ? 'a Buffer of' : 'JSON of'} ${name}, ${callers} at once: share of single GETs`
}

/** Calls `onRates` with the reads a second of each contender, by its name, for each number of callers. */
async function measureRates(
  list: readonly Contender[],
  url: string,
  quick: boolean,
  size: Size,
  bytes: boolean,
  onRates: (callers: string, rates: ReadonlyMap<string, number>) => void,
): Promise<void> {
  const workers = await startAll(list, url, size, bytes)
  for (const [callers, count] of Object.entries(size.reads)) {
    const rates = new Map<string, number[]>(list.map(({ name }) => [name, []]))
    const order = { do: 'hits', callers: Number(callers), count: quick ? Math.ceil(count / 2) : count } as const
    for (const worker of workers.values()) await worker.obey(order)
    for (let round = 0; round < (quick ? 3 : 9); round++) {
      for (const [{ name }, worker] of rotated([...workers], round)) {
        rates.get(name)?.push(await worker.obey<number>(order))
      }
    }
    onRates(callers, new Map([...rates].map(([name, own]) => [name, median(own)])))
  }
  for (const worker of workers.values()) worker.end()
  await flush(url)
}

async function startAll(
  list: readonly Contender[],
  url: string,
  size: Size,
  bytes: boolean,
): Promise<Map<Contender, Worker>> {
  const workers = new Map<Contender, Worker>()
  for (const contender of list) {
    const worker = await startWorker(contender, { url, memory: false, size: size.bytes, bytes })
    workers.set(contender, worker)
    await worker.obey({ do: 'fill', keys: keysOf(list, contender, size.keys), rounds: size.bytes < 100_000 ? 5 : 2 })
  }
  return workers
}

/** Commands for one hit: one caller, and a thousand at once with a key each. */
async function measureCommands(report: Report, url: string): Promise<void> {
  const [size] = SIZES
  for (const callers of [1, 1000]) {
    const figures = new Map<string, number>()
    const workers = await startAll(contenders.redisHits, url, size, false)
    for (const [{ name }, worker] of workers) {
      const counter = await countCommands(url)
      await worker.obey({ do: 'hits', callers, count: 10_000 })
      figures.set(name, (await counter.stop()) / 10_000)
    }
    for (const worker of workers.values()) worker.end()
    await flush(url)
    report.add(`hit in Redis, ${callers} at once: commands a hit`, figures)
  }
}

/** How many times the way there and back was waited for: by time, with a network between that takes 20 ms. */
async function measureRoundTrips(report: Report, url: string): Promise<void> {
  const { hostname: host, port } = new URL(url)
  const proxy = await startProxy({ host, port: Number(port) })
  const away = `redis://${proxy.host}:${proxy.port}`
  const [untilHit, untilLoad, untilAnswer] = [new Map(), new Map(), new Map()] as Map<string, number>[]
  const workers = await startAll(contenders.redisHits, away, SIZES[0], false)
  proxy.delay(10)
  const roundTrip = await ping(away)
  for (const [contender, worker] of workers) {
    const [hits, misses]: [Timed[], Timed[]] = [[], []]
    for (const key of keysOf(contenders.redisHits, contender, 7)) hits.push(await worker.obey({ do: 'time', key }))
    // Misses in a row, so that each contender takes them for the rule; one that goes by what it has seen learns it first.
    for (let i = 0; i < 12; i++) await worker.obey({ do: 'time', key: `${contender.name}:unknown:${i}` })
    for (let i = 0; i < 7; i++) {
      misses.push(await worker.obey({ do: 'time', key: `${contender.name}:cold:${i}` }))
      await delay(100)
    }
    untilHit?.set(contender.name, median(hits.map(({ untilAnswer: ms }) => ms)) / roundTrip)
    untilLoad?.set(contender.name, median(misses.map(({ untilLoad: ms }) => ms ?? Number.NaN)) / roundTrip)
    untilAnswer?.set(contender.name, median(misses.map(({ untilAnswer: ms }) => ms)) / roundTrip)
  }
  for (const worker of workers.values()) worker.end()
  await proxy.close()
  await flush(url)
  report.add('hit in Redis: round trips', untilHit as Map<string, number>)
  report.add('miss: round trips before the loader begins', untilLoad as Map<string, number>)
  report.add('miss: round trips until the answer, the load itself taking no time', untilAnswer as Map<string, number>)
}

/** ms that a command takes there and back. */
export async function ping(url: string): Promise<number> {
  const redis = new Redis(url)
  const times: number[] = []
  for (let i = 0; i < 11; i++) {
    const start = performance.now()
    await redis.ping()
    times.push(performance.now() - start)
  }
  redis.disconnect()
  return median(times)
}

export async function flush(url: string): Promise<void> {
  const redis = new Redis(url)
  await redis.flushall()
  redis.disconnect()
}
