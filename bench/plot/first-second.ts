import { FIRST_SECOND, FIRST_TENTH } from '../measure/first-second.ts'
import { readResults, type Figures } from '../measure/results.ts'

/** One question that was asked of warmed processes and of some that had just started, and its row in the page. */
export interface FirstSecondRow {
  readonly label: string
  readonly bench: 'cache' | 'http' | 'lock' | 'streams'
  /** As the results name it. */
  readonly warmed: string
  /** Where more than the beginning of the name differs. */
  readonly first?: string
  /** `herdlock`, if absent. */
  readonly ours?: string
  /** Who is beside us; absent where there is nobody, or the figures are shares already. */
  readonly least?: string
}

const MGET = 'limit: one MGET a tick + JSON.parse'
const PUSHED = 'limit: claim script, value pushed'
const QUEUE = 'limit: queue in Redis, not crash-safe'

const redisHit = (label: string, what: string, callers: number, least = MGET): FirstSecondRow => ({
  label: `hits in Redis, ${label}`,
  bench: 'cache',
  warmed: `hit in Redis, ${what}, ${callers} at once: share of single GETs`,
  least,
})

const httpHit = (label: string, ours: string, size: string): FirstSecondRow => ({
  label: `HTTP hits of ${size}, 64 connections, ${label}`,
  bench: 'http',
  warmed: `hits per second, ${size}, as a share of the limit at the same place`,
  ours,
})

const httpHerd = (label: string, figure: string): FirstSecondRow => ({
  label: `1000 HTTP requests at once, in front, ${label}`,
  bench: 'http',
  warmed: `1000 at once, handler of 200 ms, ${figure}, ms`,
  ours: 'herdlock in front',
  least: 'limit in front',
})

const handOff = (waiters: number): FirstSecondRow => ({
  label: `hand-off of a lock, ms, p50, ${waiters} waiters in 4 processes`,
  bench: 'lock',
  warmed: `hand-off p50 in ms, ${waiters} waiters in 4 processes`,
  least: QUEUE,
})

/** What is done in the same time, as a share of what the least does. */
export const rates: readonly FirstSecondRow[] = [
  {
    label: 'hits in memory, one after another',
    bench: 'cache',
    warmed: 'hit in memory, one after another: share of the limit',
  },
  { label: '1000 hits in memory at once', bench: 'cache', warmed: 'hit in memory, 1000 at once: share of the limit' },
  {
    label: '`peek`, of `Map.get`',
    bench: 'cache',
    warmed: 'look into memory without waiting: share of Map.get',
  },
  redisHit('100 B, 1 caller, of single GETs', 'JSON of 100 B', 1, 'ioredis GET + JSON.parse'),
  redisHit('100 B, 64 callers', 'JSON of 100 B', 64),
  redisHit('100 B, 1000 callers', 'JSON of 100 B', 1000),
  redisHit('raw bytes, 10 KB, 64 callers', 'a Buffer of 10 KB', 64),
  redisHit('raw bytes, 1 MB, 64 callers', 'a Buffer of 1 MB', 64),
  httpHit('in front', 'herdlock in front', '1 KB'),
  httpHit('inside Express', 'herdlock inside express', '1 KB'),
  httpHit('in front', 'herdlock in front', '100 KB'),
  httpHit('inside Express', 'herdlock inside express', '100 KB'),
  {
    label: 'pairs of acquire and release, 100 at once',
    bench: 'lock',
    warmed: 'pairs per second, 100 at once, as a share of the limit',
  },
]

/** What it takes. */
export const costs: readonly FirstSecondRow[] = [
  {
    label: 'a miss in memory alone: CPU, µs, beside raw lru-cache',
    bench: 'cache',
    warmed: 'miss in memory alone: CPU, µs',
    least: 'raw lru-cache',
  },
  {
    label: 'nothing stored, 8 × 1000 callers: ms until the last is answered, the load takes 100',
    bench: 'cache',
    warmed: 'nothing stored, 8 processes x 1000 callers: ms until the last caller is answered',
    least: PUSHED,
  },
  {
    label: 'the same, Redis 20 ms away: round trips beyond the load',
    bench: 'cache',
    warmed: 'nothing stored, Redis 20 ms away, 8 processes x 1000 callers: round trips beyond the load',
    least: PUSHED,
  },
  {
    label: 'a stale value, 4 × 1000 callers: ms a caller waits, p99',
    bench: 'cache',
    warmed: 'stale value, 4 processes x 1000 callers: ms a caller waits, p99',
    least: PUSHED,
  },
  {
    label: 'until the last of 10 000 waiters is awake, against one shared promise',
    bench: 'cache',
    warmed: '10000 waiters a load: until the last is awake, against one shared promise',
  },
  {
    label: 'bytes a waiter of 10 000',
    bench: 'cache',
    warmed: '10000 waiters a load: bytes a waiter',
    least: 'limit: one shared promise',
  },
  {
    label: '8 processes ask for all of many keys, `maxLoads` 20: time, as a share of that of the loads',
    bench: 'cache',
    warmed: '10000 keys, 8 processes, 20 loads of 50 ms at once: time until all are warm, as a share of the ideal',
    first: `${FIRST_SECOND}: 400 keys, 8 processes, 20 loads of 50 ms at once: time until all are warm, as a share of the ideal`,
  },
  {
    label: '10 000 cold keys in one call: CPU, µs a key, beside MGET and pipelined SETs',
    bench: 'cache',
    warmed: '10000 cold keys in one call, warmed: CPU, µs a key',
    first: '10000 cold keys in one call, the first of a process: CPU, µs a key',
    least: 'MGET and pipelined SETs',
  },
  {
    label: '10 000 cold keys, a call for each in one tick: CPU, µs a key, likewise',
    bench: 'cache',
    warmed: '10000 cold keys, a call for each in one tick, warmed: CPU, µs a key',
    first: '10000 cold keys, a call for each in one tick, the first of a process: CPU, µs a key',
    least: 'MGET and pipelined SETs',
  },
  httpHerd('nothing stored: ms until the last is answered, the handler takes 200', 'cold: slowest answer'),
  httpHerd('fresh: ms, median', 'fresh: median answer'),
  httpHerd('stale: ms, median', 'expired: median answer'),
  ...[2, 10, 100].map(handOff),
  {
    label: 'ms until a reader of a stream has a chunk, median, beside each process for itself',
    bench: 'streams',
    warmed: '8 processes with 100 readers each, 2000 tokens at 100 a second: ms until a reader has a token, median',
    first: `${FIRST_SECOND}: 8 processes with 100 readers each, 100 tokens a second: ms until a reader has a token, median`,
    least: 'each process for itself',
  },
]

/** A figure of ours, and that of who is beside us. */
interface Pair {
  readonly ours: number | undefined
  readonly least: number | undefined
}

/** One row's figures; `tenth` where it was measured. */
export interface FirstAndWarmed {
  readonly tenth: Pair
  readonly second: Pair
  readonly warmed: Pair
}

/** On that major version of Node, if it is not the usual one. */
export async function figuresOf(row: FirstSecondRow, node?: number): Promise<FirstAndWarmed> {
  const { bench, warmed, first, ours, least } = row
  const figures: Figures = (await readResults(bench, node))?.figures ?? {}
  const pair = (asked: string): Pair => ({
    ours: figures[asked]?.[ours ?? 'herdlock'] ?? undefined,
    least: least === undefined ? undefined : (figures[asked]?.[least] ?? undefined),
  })
  return {
    tenth: pair(`${FIRST_TENTH}: ${warmed}`),
    second: pair(first ?? `${FIRST_SECOND}: ${warmed}`),
    warmed: pair(warmed),
  }
}

/** Cells of the two tables, headings first. On a later Node they have the rows that were measured there. */
export async function firstSecondTables(
  show: (figure: number | undefined) => string,
  node?: number,
): Promise<{ rates: string[][]; costs: string[][] }> {
  const share = ({ ours, least = 1 }: Pair): string =>
    show(ours === undefined ? undefined : Number((ours / least).toPrecision(3)))
  const [shown, costly] = [await measured(rates, node), await measured(costs, node)]
  return {
    rates: [
      ['of what the least does', 'the first 100 ms', 'the first second', 'warmed'],
      ...shown.map(({ label, tenth, second, warmed }) => [label, ...[tenth, second, warmed].map(share)]),
    ],
    costs: [
      ['what it takes', '**herdlock**, the first second', 'warmed', 'the least, the first second', 'warmed'],
      ...costly.map(({ label, second, warmed }) => [
        label,
        ...[second.ours, warmed.ours, second.least, warmed.least].map(show),
      ]),
    ],
  }
}

async function measured(
  rows: readonly FirstSecondRow[],
  node: number | undefined,
): Promise<(FirstAndWarmed & { readonly label: string })[]> {
  const all = await Promise.all(rows.map(async (row) => ({ label: row.label, ...(await figuresOf(row, node)) })))
  return all.filter(
    ({ second, warmed }) => node === undefined || (second.ours !== undefined && warmed.ours !== undefined),
  )
}
