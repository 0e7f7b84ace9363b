import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startRedis } from '../../test/support/redis-server.ts'
import { countCommands } from '../measure/commands.ts'
import { FIRST_SECOND, inNewProcesses } from '../measure/first-second.ts'
import { optionAfter, Report } from '../measure/report.ts'
import { median, quantile } from '../measure/statistics.ts'
import type { Order, ReadBack } from './worker.ts'

/**
 *     npm run bench -- streams [--quick] [--only warmed,first]
 *
 * Many readers in several processes read one stream of tokens: shared by all, and shared within each
 * process only, which then produces for itself. On a Redis of its own.
 */
const FILE = fileURLToPath(new URL('worker.ts', import.meta.url))
const PROCESSES = 8
const READERS = 100
const PER_SECOND = 100
/** Tokens of the stream that warms the processes. */
const WARM_UP = 300
/** ms that all processes have to get ready for the moment at which they ask. */
const LEAD = 500

interface Way {
  readonly name: string
  readonly shared: boolean
}
const ways: readonly Way[] = [
  { name: 'herdlock', shared: true },
  { name: 'each process for itself', shared: false },
]

interface Measured extends ReadBack {
  readonly commands: number
  readonly seconds: number
}

const quick = process.argv.includes('--quick')
const only = optionAfter('--only')?.split(',')
const json = optionAfter('--json')
const asks = (part: string): boolean => only === undefined || only.includes(part)

const server = await startRedis()
const report = new Report()
const started = new Set<ChildProcess>()
try {
  if (asks('warmed')) {
    const tokens = quick ? 300 : 2000
    const warmed = await inNewProcesses(ways, 1, (way) => measure(way, [WARM_UP, tokens]))
    tell(`${PROCESSES} processes with ${READERS} readers each, ${tokens} tokens at ${PER_SECOND} a second`, warmed)
  }
  if (asks('first')) {
    const first = await inNewProcesses(ways, quick ? 1 : 5, (way) => measure(way, [PER_SECOND]))
    tell(`${FIRST_SECOND}: ${PROCESSES} processes with ${READERS} readers each, ${PER_SECOND} tokens a second`, first)
  }
} finally {
  for (const worker of started) worker.kill('SIGKILL')
  if (json !== undefined) await report.save(json)
  await server.stop()
}

function tell(what: string, all: ReadonlyMap<Way, readonly Measured[]>): void {
  const add = (question: string, of: (own: readonly Measured[]) => number): void =>
    report.add(`${what}: ${question}`, new Map([...all].map(([{ name }, own]) => [name, of(own)])))
  const each = (question: string, of: (figures: Measured) => number): void =>
    add(question, (own) => median(own.map(of)))
  const delays = (own: readonly Measured[]): number[] => own.flatMap((figures) => figures.delays)
  each('producers', ({ producers }) => producers)
  each('readers that had every token once, in order', ({ whole }) => whole)
  add('ms until a reader has a token, median', (own) => quantile(delays(own), 0.5))
  add('the same, 99th percentile', (own) => quantile(delays(own), 0.99))
  each('commands a second, of all processes', ({ commands, seconds }) => commands / seconds)
  each('seconds of processor time, of all processes', ({ processor }) => processor / 1000)
}

/** In processes that have just started, streams of so many tokens one after another; figures of the last. */
async function measure({ shared }: Way, streams: readonly number[]): Promise<Measured> {
  const workers = Array.from({ length: PROCESSES }, () => fork(FILE, { execArgv: ['--import', 'tsx'] }))
  for (const worker of workers) started.add(worker)
  const prefix = `bench-${started.size}`
  await Promise.all(workers.map((worker) => obey(worker, { do: 'open', url: server.url, prefix })))
  let measured: Measured | undefined
  for (const [index, tokens] of streams.entries()) measured = await read(workers, `stream ${index}`, shared, tokens)
  for (const worker of workers) worker.kill('SIGKILL')
  return measured as Measured
}

async function read(workers: readonly ChildProcess[], key: string, shared: boolean, tokens: number): Promise<Measured> {
  const counter = await countCommands(server.url)
  const at = Number(process.hrtime.bigint()) / 1e6 + LEAD
  const order = { do: 'read', key, readers: READERS, tokens, perSecond: PER_SECOND, shared, at } as const
  const parts = await Promise.all(workers.map((each) => obey<ReadBack>(each, order)))
  const seconds = (Number(process.hrtime.bigint()) / 1e6 - at) / 1000
  const sum = (of: (part: ReadBack) => number): number => parts.reduce((total, part) => total + of(part), 0)
  return {
    producers: sum((part) => part.producers),
    whole: sum((part) => part.whole),
    processor: sum((part) => part.processor),
    delays: parts.flatMap(({ delays }) => delays),
    commands: await counter.stop(),
    seconds,
  }
}

async function obey<T>(worker: ChildProcess, order: Order): Promise<T> {
  worker.send(order)
  const [{ answer, error }] = (await once(worker, 'message')) as [{ answer: T; error?: string }]
  if (error !== undefined) throw new Error(error)
  return answer
}
