import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startRedis } from '../../test/support/redis-server.ts'
import { countCommands } from '../measure/commands.ts'
import { optionAfter, Report } from '../measure/report.ts'
import { quantile } from '../measure/statistics.ts'
import type { Order, ReadBack } from './worker.ts'

/**
 *     npm run bench -- streams [--quick]
 *
 * Many readers in several processes read one stream of tokens: shared by all, and shared within each
 * process only, which then produces for itself. On a Redis of its own.
 */
const FILE = fileURLToPath(new URL('worker.ts', import.meta.url))
const PROCESSES = 8
const READERS = 100
const PER_SECOND = 100
/** ms that all processes have to get ready for the moment at which they ask. */
const LEAD = 500

const quick = process.argv.includes('--quick')
const json = optionAfter('--json')
const tokens = quick ? 300 : 2000
const server = await startRedis()
const workers = Array.from({ length: PROCESSES }, () => fork(FILE, { execArgv: ['--import', 'tsx'] }))
const report = new Report()
try {
  await Promise.all(workers.map((worker) => obey(worker, { do: 'open', url: server.url, prefix: 'bench' })))
  const shared = await measure(true)
  const apart = await measure(false)
  const what = `${PROCESSES} processes with ${READERS} readers each, ${tokens} tokens at ${PER_SECOND} a second`
  const add = (question: string, of: (figures: Measured) => number): void =>
    report.add(
      `${what}: ${question}`,
      new Map([
        ['herdlock', of(shared)],
        ['each process for itself', of(apart)],
      ]),
    )
  add('producers', ({ producers }) => producers)
  add('readers that had every token once, in order', ({ whole }) => whole)
  add('ms until a reader has a token, median', ({ delays }) => quantile(delays, 0.5))
  add('the same, 99th percentile', ({ delays }) => quantile(delays, 0.99))
  add('commands a second, of all processes', ({ commands, seconds }) => commands / seconds)
  add('seconds of processor time, of all processes', ({ processor }) => processor / 1000)
  if (json !== undefined) await report.save(json)
} finally {
  for (const worker of workers) worker.kill('SIGKILL')
  await server.stop()
}

interface Measured extends ReadBack {
  readonly commands: number
  readonly seconds: number
}

async function measure(isShared: boolean): Promise<Measured> {
  const counter = await countCommands(server.url)
  const at = Number(process.hrtime.bigint()) / 1e6 + LEAD
  const order = { do: 'read', key: `stream ${isShared}`, readers: READERS, tokens, perSecond: PER_SECOND } as const
  const parts = await Promise.all(workers.map((each) => obey<ReadBack>(each, { ...order, shared: isShared, at })))
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
