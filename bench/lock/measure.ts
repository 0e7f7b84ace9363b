import { setTimeout as delay } from 'node:timers/promises'
import { askRedis, connectResp } from '../../test/support/resp.ts'
import type { Span } from './worker.ts'
import { rotated } from '../measure/statistics.ts'
import { startWorkers, type Worker } from './workers.ts'

export const PROCESSES = 4
/** ms a holder keeps the lock: long enough for what a library does after acquiring to be over. */
const HOLD_FOR = 2
/** ms for all waiters to be in line before the first release. */
const GATHER = 300
/** Ends the counting of commands. */
const END_MARK = 'the end of counting'

/** Questions, as the results name them. */
export const PAIRS = 'pairs per second, 100 at once, as a share of the limit'
export const handOff = (waiters: number): string => `hand-off p50 in ms, ${waiters} waiters in ${PROCESSES} processes`

/** Pairs per second with 100 at once, each round in every contender before the next round. */
export async function measurePairs(
  names: readonly string[],
  url: string,
  rounds: number,
  pairs: number,
): Promise<Map<string, number[]>> {
  const workers = new Map<string, Worker>()
  const figures = new Map<string, number[]>(names.map((name) => [name, []]))
  for (const name of names) {
    const [worker] = await startWorkers(name, url, 1)
    workers.set(name, worker as Worker)
    await worker?.obey({ do: 'pairs', pairs, concurrency: 100 }) // warm
  }
  for (let round = 0; round < rounds; round++) {
    for (const name of rotated(names, round)) {
      figures
        .get(name)
        ?.push((await workers.get(name)?.obey<number>({ do: 'pairs', pairs, concurrency: 100 })) as number)
    }
  }
  for (const worker of workers.values()) worker.end()
  return figures
}

export interface HandOffs {
  /** ms from each call of release to the next holder's having the lock. */
  latencies: number[]
  /** Commands that reached Redis between the first release and the last, per hand-off. */
  commands: number[]
}

/** A held lock, `waiters` in line for it in 4 processes; then they get it one after another. */
export async function measureHandOffs(
  names: readonly string[],
  url: string,
  waiters: number,
  rounds: number,
): Promise<Map<string, HandOffs>> {
  const groups = new Map<string, Worker[]>()
  const figures = new Map<string, HandOffs>(names.map((name) => [name, { latencies: [], commands: [] }]))
  for (const name of names) groups.set(name, await startWorkers(name, url, PROCESSES))
  for (let round = 0; round < rounds; round++) {
    for (const name of rotated(names, round)) {
      const result = await oneChain(groups.get(name) as Worker[], url, `chain:${round}`, waiters, round % 3 === 0)
      if (result.commands === undefined) figures.get(name)?.latencies.push(...result.latencies)
      else figures.get(name)?.commands.push(result.commands)
    }
  }
  for (const worker of [...groups.values()].flat()) worker.end()
  return figures
}

export async function oneChain(
  workers: readonly Worker[],
  url: string,
  key: string,
  waiters: number,
  count: boolean,
): Promise<{ latencies: number[]; commands: number | undefined }> {
  const [first] = workers as [Worker]
  await first.obey({ do: 'hold', key })
  const counts = workers.map((_, index) => Math.floor((waiters + index) / workers.length)).toReversed()
  await Promise.all(
    workers.map((worker, index) => worker.obey({ do: 'queue', key, waiters: counts[index] ?? 0, holdFor: HOLD_FOR })),
  )
  await delay(GATHER)
  // Watching every command slows Redis down: chains are either timed or counted.
  const counter = count ? await countCommands(url) : undefined
  const dropped = await first.obey<Span>({ do: 'drop' })
  const spans = (await Promise.all(workers.map((worker) => worker.obey<Span[]>({ do: 'join' })))).flat()
  // The last release hands over to nobody.
  const commands = counter && ((await counter.stop()) - 1) / waiters
  return { latencies: gaps([dropped, ...spans]), commands }
}

/** Commands that reach Redis per waiter and second while a lock stays held. */
export async function measureWaiting(name: string, url: string, waiters: number, seconds: number): Promise<number> {
  const workers = await startWorkers(name, url, PROCESSES)
  const [first] = workers as [Worker]
  await first.obey({ do: 'hold', key: 'waiting' })
  await Promise.all(
    workers.map((worker) => worker.obey({ do: 'queue', key: 'waiting', waiters: waiters / PROCESSES, holdFor: 0 })),
  )
  await delay(GATHER)
  const counter = await countCommands(url)
  await delay(seconds * 1000)
  const commands = await counter.stop()
  for (const worker of workers) worker.end()
  const { hostname: host, port } = new URL(url)
  await askRedis({ host, port: Number(port) }, 'FLUSHALL')
  return commands / waiters / seconds
}

/** Counts what MONITOR shows, without what scripts do inside Redis. */
async function countCommands(url: string): Promise<{ stop(): Promise<number> }> {
  const { hostname: host, port } = new URL(url)
  const monitor = await connectResp({ host, port: Number(port) })
  await monitor.command('MONITOR')
  let commands = 0
  let sawEnd!: () => void
  const end = new Promise<void>((resolve) => (sawEnd = resolve))
  async function read(): Promise<void> {
    for (;;) {
      const line = String(await monitor.next())
      if (line.includes(END_MARK)) return sawEnd()
      if (!/^\S+ \[\d+ lua\]/.test(line)) commands++
    }
  }
  void read()
  return {
    async stop() {
      await askRedis({ host, port: Number(port) }, 'ECHO', END_MARK)
      await end
      monitor.close()
      return commands
    },
  }
}

function gaps(spans: readonly Span[]): number[] {
  const ordered = spans
    .map(({ from, to }) => ({ from: BigInt(from), to: BigInt(to) }))
    .toSorted((a, b) => (a.from < b.from ? -1 : 1))
  return ordered.slice(1).map(({ from }, index) => Number(from - (ordered[index]?.to ?? from)) / 1e6)
}
