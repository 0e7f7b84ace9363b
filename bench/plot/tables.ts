import { readFile, writeFile } from 'node:fs/promises'
import { format, resolveConfig } from 'prettier'
import { firstSecondTables } from './first-second.ts'
import { readResults, type Figures } from '../measure/results.ts'

/** A question of a bench, as its results name it, and the heading of its column. */
type Column = readonly [asked: string, heading: string]

interface Table {
  /** Stands in the page, in a comment before the table. */
  readonly name: string
  readonly heading: string
  readonly columns: readonly Column[]
  /** Names of contenders in this table alone. */
  readonly labels?: ReadonlyMap<string, string>
}

const PAGE = new URL('../../docs/comparison.md', import.meta.url)

/** A contender as the results name it, without its version, and as the page does. Others keep their names. */
const labels = new Map([
  ['limit: Map of resolved promises', 'the least: a Map of resolved promises'],
  ['limit: claim script, value pushed', 'the least: a claim script, the value pushed'],
  ['limit: one MGET a tick + JSON.parse', 'the least: one MGET a tick and JSON.parse'],
  ['limit: one shared promise', 'one shared promise'],
  ['by hand: redis-semaphore, ioredis, lru-cache', 'by hand'],
  ['ioredis GET + JSON.parse', 'ioredis GET and JSON.parse'],
  ['Map.get + await', '`Map.get` and `await`'],
  ['lru-cache fetch()', 'lru-cache `fetch()`'],
  ['raw lru-cache', 'lru-cache, with ttl'],
  ['herdlock', '**herdlock**'],
  ['herdlock, Redis attached', '**herdlock**, Redis attached'],
])

const herd = (processes: number, callers: number): string =>
  `nothing stored, ${processes} processes x ${callers} callers`
const stale = (callers: number): string => `stale value, 4 processes x ${callers} callers`
const redisHit = (callers: number): string => `hit in Redis, JSON of 100 B, ${callers} at once: share of single GETs`

const memoryHits: readonly Column[] = [
  ['hit in memory, one after another: share of the limit', 'one after another'],
  ['hit in memory, 1000 at once: share of the limit', '1000 at once'],
  ['look into memory without waiting: share of Map.get', 'without waiting, against `Map.get`'],
  ['garbage of a hit in memory: bytes', 'bytes of garbage'],
]

const waiters: readonly Column[] = [
  ['10 waiters a load: bytes a waiter', 'bytes a waiter: 10'],
  ['100 waiters a load: bytes a waiter', '100'],
  ['1000 waiters a load: bytes a waiter', '1000'],
  ['10000 waiters a load: bytes a waiter', '10 000'],
  [
    '10000 waiters a load: until the last is awake, against one shared promise',
    'until the last of 10 000 is awake, against one shared promise',
  ],
]

const tables: readonly Table[] = [
  {
    name: 'herd',
    heading: 'nothing stored',
    columns: [
      [`${herd(8, 100)}: loader runs`, 'loader runs, 8 × 100'],
      [`${herd(2, 100)}: commands`, 'commands to Redis: 2 × 100 callers'],
      [`${herd(8, 100)}: commands`, '8 × 100'],
      [`${herd(8, 1000)}: commands`, '8 × 1000'],
      [`${herd(8, 100)}: ms until the last caller is answered`, 'last caller, ms: 8 × 100'],
      [`${herd(8, 1000)}: ms until the last caller is answered`, '8 × 1000'],
      [
        'nothing stored, Redis 20 ms away, 8 processes x 1000 callers: round trips beyond the load',
        'Redis 20 ms away, 8 × 1000: round trips beyond the load',
      ],
    ],
  },
  {
    name: 'stale',
    heading: 'a stale value',
    columns: [
      [`${stale(100)}: loader runs`, 'loader runs, 4 processes'],
      [`${stale(100)}: commands`, 'commands to Redis, 4 × 100 callers'],
      [`${stale(1000)}: commands`, '4 × 1000'],
      [`${stale(100)}: ms a caller waits, p99`, 'p99 of waiting, ms: 4 × 100'],
      [`${stale(1000)}: ms a caller waits, p99`, '4 × 1000'],
    ],
  },
  { name: 'memory', heading: 'hit in memory', columns: memoryHits },
  {
    name: 'redis',
    heading: 'hit in Redis, 100 B',
    columns: [
      [redisHit(1), '1 caller'],
      [redisHit(64), '64 callers at once'],
      [redisHit(1000), '1000 at once'],
    ],
  },
  {
    name: 'traffic',
    heading: 'traffic',
    columns: [
      ['hit in Redis, 1 at once: commands a hit', 'commands a hit, 1 caller'],
      ['hit in Redis, 1000 at once: commands a hit', 'commands a hit, 1000 callers'],
      ['hit in Redis: round trips', 'round trips of a hit'],
      ['miss: round trips before the loader begins', 'round trips before the loader begins'],
      [
        'miss: round trips until the answer, the load itself taking no time',
        'round trips until the loaded value is handed out',
      ],
    ],
  },
  {
    name: 'entries',
    heading: 'bytes an entry',
    columns: [
      ['bytes an entry, 10000 entries', '10 000 entries'],
      ['bytes an entry, 100000 entries', '100 000'],
      ['bytes an entry, 100000 entries: share of raw lru-cache', '100 000, against lru-cache'],
    ],
    labels: new Map([['Map.get + await', 'a Map']]),
  },
  { name: 'waiters', heading: 'waiters on one load', columns: waiters },
]

/** The same page shows these for a later Node, too. */
const LATER = 24
const laterTables: readonly Table[] = [
  { name: `memory on Node ${LATER}`, heading: 'hit in memory', columns: memoryHits },
  { name: `waiters on Node ${LATER}`, heading: 'waiters on one load', columns: waiters },
]

/** The page of the comparison, its tables filled with the kept results. Throws if a table has no place there. */
export async function filledPage(): Promise<string> {
  const page = await readFile(PAGE, 'utf8')
  const [now, later] = [(await readResults('cache'))?.figures ?? {}, (await readResults('cache', LATER))?.figures ?? {}]
  const [firstNow, firstLater] = [await firstSecondTables(shown), await firstSecondTables(shown, LATER)]
  const cells: readonly (readonly [name: string, cells: string[][]])[] = [
    ...tables.map((table) => [table.name, cellsOf(table, now)] as const),
    ...laterTables.map((table) => [table.name, cellsOf(table, later)] as const),
    ['first second, rates', firstNow.rates],
    ['first second, costs', firstNow.costs],
    [`first second, rates, on Node ${LATER}`, firstLater.rates],
    [`first second, costs, on Node ${LATER}`, firstLater.costs],
  ]
  const filled = cells.reduce((text, [name, rows]) => withTable(text, name, rows), page)
  return format(filled, { ...(await resolveConfig(PAGE)), parser: 'markdown' })
}

export async function fillTables(): Promise<void> {
  await writeFile(PAGE, await filledPage())
}

/** Puts the table in the place of the one that follows its comment. */
function withTable(page: string, name: string, cells: string[][]): string {
  const comment = `<!-- npm run bench -- --plot: ${name} -->\n`
  const at = page.indexOf(comment)
  if (at === -1) throw new Error(`docs/comparison.md has no place for the table ${name}`)
  const from = at + comment.length
  const old = /^\s*(\|.*\n)*/.exec(page.slice(from))?.[0] ?? ''
  return `${page.slice(0, from)}\n${markdownOf(cells)}\n${page.slice(from + old.length).replace(/^\n*/, '')}`
}

function markdownOf([headings = [], ...rows]: string[][]): string {
  const lines = [headings, headings.map(() => '---'), ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('')
}

function cellsOf({ heading, columns, labels: own }: Table, figures: Figures): string[][] {
  const contenders = new Set(columns.flatMap(([asked]) => Object.keys(figures[asked] ?? {})))
  const rows = [...contenders].map((contender) => [
    own?.get(contender) ?? labelOf(contender),
    ...columns.map(([asked]) => shown(figures[asked]?.[contender])),
  ])
  return [[heading, ...columns.map(([, title]) => title)], ...rows]
}

function labelOf(contender: string): string {
  return labels.get(contender) ?? contender.replace(/ \d[\d.]*$/, '')
}

function shown(figure: number | null | undefined): string {
  if (figure === null || figure === undefined) return ''
  return String(Math.max(figure, 0)) // less than nothing is an error of the measurement
    .replace(/(?<=^\d+)(?=(\d{3})+$)/g, ' ')
}
