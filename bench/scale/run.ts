import { startCluster } from '../../test/support/redis-cluster.ts'
import { startRedis } from '../../test/support/redis-server.ts'
import { optionAfter, Report } from '../measure/report.ts'
import { type ChangeFigures, measureChanges } from './changes.ts'
import { measureClusterChanges } from './cluster.ts'
import { measureHerd } from './herd.ts'
import { measureWays } from './ways.ts'

/**
 *     npm run bench -- scale [--quick] [--only changes,held,herd,ways,cluster] [--sizes 10,1000]
 *
 * What fleets of processes cost Redis: processor time of its only thread, as INFO tells it. Each process of a fleet is a
 * connection that reads what comes; they need as many files as that, and run in few processes (`fleet-worker.ts`).
 */
const quick = process.argv.includes('--quick')
const only = optionAfter('--only')?.split(',')
const json = optionAfter('--json')
const sizes = (optionAfter('--sizes') ?? (quick ? '10,100' : '10,100,1000,5000,10000')).split(',').map(Number)
const asks = (part: string): boolean => only === undefined || only.includes(part)
const RATES = { all: [1, 100, 1000], held: [100, 1000] }
const HERD_BYTES = 60 * 1024
const MANY_CLIENTS = ['--maxclients', '15000', '--tcp-backlog', '1024', '--tracking-table-max-keys', '0']

const report = new Report()
const named = (size: number): string => `${size} processes`

/** One question, and for each size its answer. */
function bySize<F>(
  figures: ReadonlyMap<number, F>,
  of: (figure: F) => number | undefined,
): Map<string, number | undefined> {
  return new Map([...figures].map(([size, figure]) => [named(size), of(figure)]))
}

for (const messages of ['all', 'held'] as const) {
  if (!asks(messages === 'all' ? 'changes' : messages)) continue
  const figures = new Map<number, ChangeFigures>()
  await onRedis(async (server, size) =>
    figures.set(size, await measureChanges(server, size, RATES[messages], messages)),
  )
  const to = messages === 'all' ? '' : ', told to those who hold the key'
  report.add(
    `one change that comes alone${to}: ms of Redis's thread`,
    bySize(figures, ({ lone }) => lone),
  )
  report.add(
    `one of 100 changes at once${to}: ms of Redis's thread`,
    bySize(figures, ({ gathered }) => gathered),
  )
  report.add(
    `one of 1000 changes a second of ten processes${to}: ms of Redis's thread`,
    bySize(figures, ({ ofMany }) => ofMany),
  )
  for (const rate of RATES[messages]) {
    const asked = `one of ${rate} changes a second of one process${to}: ms of Redis's thread`
    report.add(
      asked,
      bySize(figures, ({ rates }) => rates.get(rate)),
    )
  }
}
if (asks('herd')) {
  const figures = new Map<number, number>()
  await onRedis(async (server, size) => figures.set(size, await measureHerd(server, size, HERD_BYTES)))
  report.add(
    "all wait for one value of 60 KB: ms of Redis's thread",
    bySize(figures, (busy) => busy),
  )
}
if (asks('ways')) {
  const figures = new Map<number, Map<string, number>>()
  await onRedis(async (server, size) => figures.set(size, await measureWays(server, size)))
  for (const [size, ways] of figures) report.add(`ways to tell of a change, ${named(size)}: ms of Redis's thread`, ways)
}
if (asks('cluster')) {
  const cluster = await startCluster()
  try {
    const masters = await cluster.masters()
    const figures = new Map<string, number>()
    for (const size of sizes.filter((each) => each >= 100))
      figures.set(named(size), await measureClusterChanges(cluster, masters, size))
    report.add("one change on a Cluster of six nodes: ms of the busiest master's thread", figures)
  } finally {
    await cluster.stop()
  }
}
if (json !== undefined) await report.save(json)

async function onRedis(
  measure: (server: Awaited<ReturnType<typeof startRedis>>, size: number) => Promise<unknown>,
): Promise<void> {
  for (const size of sizes) {
    const server = await startRedis({ args: MANY_CLIENTS })
    try {
      await measure(server, size)
    } finally {
      await server.stop()
    }
  }
}
