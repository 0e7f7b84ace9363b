import { setTimeout as delay } from 'node:timers/promises'
import { startProxy } from '../../test/support/tcp-proxy.ts'
import { FIRST_SECOND, FIRST_TENTH, inNewProcesses, type Rates } from '../measure/first-second.ts'
import type { Report } from '../measure/report.ts'
import { median, quantile } from '../measure/statistics.ts'
import { clientPairs } from './clients.ts'
import type { Contender } from './contender.ts'
import { contenders } from './contenders.ts'
import { crowdOnce, PROCESSES as CROWD } from './crowd.ts'
import { GC_FLAGS } from './footprint.ts'
import { herdlock } from './herdlock.ts'
import { askAtOnce, type Herd, learn, LOAD_TIME, ownKey, PROCESSES, SOON_STALE, UNTIL_STALE } from './herds.ts'
import { batchedGet, claimAndPush, plainGet, promisesInMap, sharedPromise, valuesInMap } from './limits.ts'
import { clientQuestion, flush, ping, redisQuestion, type Size, SIZES } from './redis-hits.ts'
import { keysOf, startWorker, type Work, Worker } from './workers.ts'
import type { Order, Waited } from './worker.ts'

const CALLERS = 1000
/** Keys of a crowd that is through after a second, if nothing but the loads takes time. */
const CROWD_KEYS = 400
/** Units a second, below which the first 100 ms say nothing. */
const LEAST_RATE = 1000
/** ms: what a new process does after its first answer is over. */
const SETTLED = 200

/** What is measured, each under the name of the part that measures it warmed. */
const parts: Readonly<Record<string, (report: Report, url: string, generations: number) => Promise<void>>> = {
  memory: measureMemoryHits,
  redis: measureRedisHits,
  clients: measureClientHits,
  cold: measureCold,
  stale: measureStale,
  distance: measureDistance,
  crowd: measureCrowd,
  waiters: measureWaiters,
}

/**
 * Other parts once more, those that `asks` for, in processes that have just started, and against the least alone. A process
 * is ready when it has had one value of its own, so that connections, subscriptions and scripts are there; its code is cold.
 */
export async function measureFirstSecond(
  report: Report,
  url: string,
  quick: boolean,
  asks: (part: string) => boolean,
): Promise<void> {
  for (const [part, measure] of Object.entries(parts)) if (asks(part)) await measure(report, url, quick ? 1 : 5)
  await flush(url)
}

async function measureMemoryHits(report: Report, _url: string, generations: number): Promise<void> {
  const questions: readonly [asked: string, least: Contender, order: Order][] = [
    [
      'hit in memory, one after another: share of the limit',
      promisesInMap,
      { do: 'first-hits', callers: 1, inARow: 1000 },
    ],
    ['hit in memory, 1000 at once: share of the limit', promisesInMap, { do: 'first-bursts' }],
    ['look into memory without waiting: share of Map.get', valuesInMap, { do: 'first-peeks' }],
  ]
  for (const [asked, least, order] of questions) {
    const list = [least, herdlock]
    const rates = await inNewProcesses(list, generations, async (contender) => {
      const worker = await startWorker(contender, {})
      await worker.obey({ do: 'fill', keys: keysOf(list, contender, 1000), rounds: 1 })
      return await theOnly(worker, order)
    })
    addShares(report, asked, rates)
  }
}

async function measureRedisHits(report: Report, url: string, generations: number): Promise<void> {
  const list = [plainGet, batchedGet, herdlock]
  const [small, middle, large] = SIZES
  for (const [size, bytes, callers] of [
    [small, false, 1],
    [small, false, 64],
    [small, false, 1000],
    [middle, true, 64],
    [large, true, 64],
  ] as const) {
    const rates = await ratesOfReaders(list, url, size, bytes, callers, generations)
    addShares(report, redisQuestion(size, bytes, callers), rates)
  }
}

async function measureClientHits(report: Report, url: string, generations: number): Promise<void> {
  const [size] = SIZES
  const callers = 64
  const rates = await ratesOfReaders(contenders.clientHits, url, size, false, callers, generations)
  const second = mediansOf(rates, (own) => own.second)
  const rateOf = ({ name }: Contender): number => second.get(name) as number
  const share = clientPairs.map(({ client, own, cached }) => [client, rateOf(cached) / rateOf(own)] as const)
  report.add(`${FIRST_SECOND}: ${clientQuestion(size, callers)} the client's own GETs`, new Map(share))
}

/** The values have been stored by another process. */
async function ratesOfReaders(
  list: readonly Contender[],
  url: string,
  size: Size,
  bytes: boolean,
  callers: number,
  generations: number,
): Promise<Map<Contender, Rates[]>> {
  const work = { url, memory: false, size: size.bytes, bytes }
  for (const contender of list) {
    const worker = await startWorker(contender, work)
    const read = { do: 'fill', keys: keysOf(list, contender, size.keys), rounds: 1 } as const
    do await worker.obey(read)
    while ((await worker.obey<number>({ do: 'loads' })) > 0)
    worker.end()
  }
  const rates = await inNewProcesses(list, generations, async (contender, generation) => {
    const [worker] = await startReady(contender, work, 1, generation)
    await worker.obey({ do: 'know', keys: keysOf(list, contender, size.keys) })
    return await theOnly(worker, { do: 'first-hits', callers, inARow: 1 })
  })
  await flush(url)
  return rates
}

async function measureCold(report: Report, url: string, generations: number): Promise<void> {
  const herds = await measureHerds({ url, loadTime: LOAD_TIME }, PROCESSES, generations)
  const what = `${FIRST_SECOND}: nothing stored, ${PROCESSES} processes x ${CALLERS} callers`
  report.add(
    `${what}: loader runs`,
    mediansOf(herds, ({ runs }) => runs),
  )
  report.add(
    `${what}: ms until the last caller is answered`,
    mediansOf(herds, ({ last }) => last),
  )
}

async function measureStale(report: Report, url: string, generations: number): Promise<void> {
  const processes = 4
  const herds = await measureHerds({ url, loadTime: LOAD_TIME, ...SOON_STALE }, processes, generations, true)
  const what = `${FIRST_SECOND}: stale value, ${processes} processes x ${CALLERS} callers`
  report.add(
    `${what}: loader runs`,
    mediansOf(herds, ({ runs }) => runs),
  )
  report.add(
    `${what}: ms a caller waits, p99`,
    mediansOf(herds, ({ waits }) => quantile(waits, 0.99)),
  )
}

async function measureDistance(report: Report, url: string, generations: number): Promise<void> {
  const { hostname: host, port } = new URL(url)
  const proxy = await startProxy({ host, port: Number(port) })
  const away = `redis://${proxy.host}:${proxy.port}`
  proxy.delay(10)
  const roundTrip = await ping(away)
  const herds = await measureHerds({ url: away, loadTime: LOAD_TIME }, PROCESSES, generations)
  await proxy.close()
  report.add(
    `${FIRST_SECOND}: nothing stored, Redis 20 ms away, ${PROCESSES} processes x ${CALLERS} callers: round trips beyond the load`,
    mediansOf(herds, ({ last }) => (last - LOAD_TIME) / roundTrip),
  )
}

async function measureCrowd(report: Report, url: string, generations: number): Promise<void> {
  const crowds = await inNewProcesses([herdlock], generations, async (_, generation) => {
    const workers = Array.from({ length: CROWD }, () => new Worker())
    const crowd = await crowdOnce(workers, url, `first-crowd-${generation}`, CROWD_KEYS)
    for (const worker of workers) worker.end()
    return crowd
  })
  const { what } = crowds.get(herdlock)?.[0] ?? {}
  report.add(
    `${FIRST_SECOND}: ${what}: time until all are warm, as a share of the ideal`,
    mediansOf(crowds, ({ ratio }) => ratio),
  )
}

async function measureWaiters(report: Report, _url: string, generations: number): Promise<void> {
  const waited = await inNewProcesses([sharedPromise, herdlock], generations, async (contender) => {
    const worker = await startWorker(contender, {}, GC_FLAGS)
    return await theOnly<Waited>(worker, { do: 'waiters', waiters: 10_000, flights: 1 })
  })
  const what = `${FIRST_SECOND}: 10000 waiters a load`
  report.add(
    `${what}: bytes a waiter`,
    mediansOf(waited, ({ bytes }) => bytes),
  )
  const awake = mediansOf(waited, ({ lastAwake }) => lastAwake)
  report.add(`${what}: until the last is awake, against one shared promise`, shares(awake))
}

/** The first herd of processes; where it is asked for, they have had the value once, and it is stale now. */
async function measureHerds(
  work: Work & { url: string },
  processes: number,
  generations: number,
  stale = false,
): Promise<Map<Contender, Herd[]>> {
  const herds = await inNewProcesses([claimAndPush, herdlock], generations, async (contender, generation) => {
    const workers = await startReady(contender, work, processes, generation)
    const key = ownKey(contender, `first:${generation}`)
    if (stale) {
      await learn(workers, key)
      await delay(UNTIL_STALE)
    }
    for (const worker of workers) await worker.obey({ do: 'loads' })
    const herd = await askAtOnce(workers, key, CALLERS)
    for (const worker of workers) worker.end()
    if (herd.runs === 0) throw new Error(`${contender.name} had the value already`)
    return herd
  })
  await flush(work.url)
  return herds
}

async function startReady(
  contender: Contender,
  work: Work,
  count: number,
  generation: number,
): Promise<[Worker, ...Worker[]]> {
  const workers = await Promise.all(Array.from({ length: count }, () => startWorker(contender, work)))
  const own = workers.map((_, index) => `ready:${contender.name}:${count}:${generation}:${index}`)
  await Promise.all(workers.map((worker, index) => worker.obey({ do: 'time', key: own[index] as string })))
  await delay(SETTLED)
  return workers as [Worker, ...Worker[]]
}

async function theOnly<T = Rates>(worker: Worker, order: Order): Promise<T> {
  const answer = await worker.obey<T>(order)
  worker.end()
  return answer
}

/** Rates as shares of the first contender's. */
function addShares(report: Report, asked: string, rates: ReadonlyMap<Contender, readonly Rates[]>): void {
  const tenths = mediansOf(rates, ({ tenth }) => tenth)
  // What takes so long that hardly any ends in 100 ms is no rate.
  if (Math.min(...tenths.values()) >= LEAST_RATE) report.add(`${FIRST_TENTH}: ${asked}`, shares(tenths))
  report.add(`${FIRST_SECOND}: ${asked}`, shares(mediansOf(rates, ({ second }) => second)))
}

function mediansOf<F>(all: ReadonlyMap<Contender, readonly F[]>, figure: (own: F) => number): Map<string, number> {
  return new Map([...all].map(([{ name }, own]) => [name, median(own.map(figure))]))
}

function shares(figures: ReadonlyMap<string, number>): Map<string, number> {
  const [first = Number.NaN] = figures.values()
  return new Map([...figures].map(([name, figure]) => [name, figure / first]))
}
