import type { CacheStats } from '../cache/watch/stats.ts'

/** What the page is told: once, when it connects, a `Greeting`; then an `Update` at every refresh. */
export interface Greeting {
  /** Host and id of the process whose caches these are: behind a load balancer others have others. */
  readonly process: string
  readonly refresh: number
  readonly allowInvalidate: boolean
  /** Whether it can be asked for what was so before. */
  readonly history: boolean
  /** To be sent along with every change. */
  readonly token: string
  readonly caches: readonly CacheGreeting[]
}

/** What is remembered of what happened, the oldest first. */
export interface Past {
  readonly samples: readonly Sample[]
  readonly refills: readonly RefillReport[]
  readonly failures: readonly FailureReport[]
}

interface CacheGreeting extends Past {
  readonly name: string
  /** By it this process is told apart; empty without Redis. */
  readonly id: string
  /** Of other processes. */
  readonly fleet: readonly (ProcessName & Past)[]
}

/** A process that has the same cache. */
export interface ProcessName {
  readonly id: string
  /** Host and process id. */
  readonly process: string
}

export interface Update {
  /** ms since 1970. */
  readonly at: number
  readonly caches: readonly CacheUpdate[]
}

/** What is so in one process now, and what has happened there since the update before. */
export interface Figures {
  readonly stats: ToldStats
  /** What happened since the update before; absent in the first. */
  readonly sample: Sample | undefined
  readonly flights: Rows<{ age: number; waiters: number }>
  readonly hottest: readonly (Named & { readonly rate: number })[]
  readonly slowest: readonly (Named & { readonly loads: number; readonly mean: number; readonly longest: number })[]
  /** The latest first. */
  readonly unshared: readonly UnsharedReport[]
  /** Those since the update before. */
  readonly refills: readonly RefillReport[]
  readonly failures: readonly FailureReport[]
}

export interface CacheUpdate extends Figures {
  readonly leases: Rows<LeaseReport> & { readonly complete: boolean }
  /** Whether Redis has answered when it was last asked for leases; `absent`: there is none. */
  readonly redis: 'unknown' | 'absent' | 'answers' | 'fails'
  readonly redisError: string | undefined
  readonly fleet: FleetUpdate | undefined
}

/** What other processes have told since the update before. */
export interface FleetUpdate {
  readonly reports: readonly ProcessReport[]
  /** How many processes there are, this one among them, as far as Redis knows. */
  readonly count: number
  /** Why they could not be called, if so. */
  readonly error: string | undefined
}

/** What one process tells of one cache. */
export interface ProcessReport extends Figures, ProcessName {
  /** On its own wall clock until it has arrived; from then on on that of whoever receives it. */
  readonly at: number
  /** ms to its next report. */
  readonly every: number
}

/** Those of a cache's counts that the page shows. */
export type ToldStats = Pick<CacheStats, Counted | State>

type Counted = 'hits' | 'staleHits' | 'misses' | 'coalesced' | 'refills' | 'refillFailures' | 'leasesLost' | 'errors'
type State = 'entries' | 'bytes' | 'flights' | 'limit' | 'redis'

const TOLD: readonly (Counted | State)[] = [
  ...(['hits', 'staleHits', 'misses', 'coalesced', 'refills', 'refillFailures', 'leasesLost', 'errors'] as const),
  ...(['entries', 'bytes', 'flights', 'limit', 'redis'] as const),
]

export function toldOf(stats: CacheStats): ToldStats {
  return Object.fromEntries(TOLD.map((name) => [name, stats[name]])) as unknown as ToldStats
}

/** A key as it is shown: of a long one only the beginning. */
export interface Named {
  readonly key: string
  readonly shortened: boolean
}

/** The first of them, and how many there are. */
export interface Rows<T> {
  readonly rows: readonly (Named & T)[]
  readonly count: number
}

interface LeaseReport {
  /** The id of its process. */
  readonly holder: string
  readonly own: boolean
  readonly remaining: number | undefined
  readonly waitingProcesses: number
}

/** How often what happened in a span of time. */
export interface Sample {
  /** Its end in ms since 1970, and its length in ms. */
  readonly at: number
  readonly span: number
  readonly hits: number
  readonly staleHits: number
  readonly misses: number
  readonly coalesced: number
  readonly refills: number
  readonly refillFailures: number
}

export interface RefillReport extends Named {
  /** When it ended, in ms since 1970. */
  readonly at: number
  /** ms that it took; unknown of a failed one. */
  readonly loadTime: number | undefined
}

/** A key whose response was for one client alone. */
export interface UnsharedReport extends Named {
  /** The `detail` of its Cache-Status. */
  readonly reason: string
  readonly times: number
  /** The last time, in ms since 1970. */
  readonly at: number
}

export interface FailureReport extends Partial<Named> {
  readonly at: number
  readonly kind: 'refill-failed' | 'lease-lost' | 'error'
  readonly message: string
}

const LONGEST_SHOWN = 300
const LONGEST_MESSAGE = 500

export function named(key: string, shortened = false): Named {
  if (key.length <= LONGEST_SHOWN) return { key, shortened }
  return { key: `${key.slice(0, LONGEST_SHOWN).toWellFormed()}…`, shortened: true }
}

/** The first of `items` as rows. */
export function rowsOf<T extends { key: string; shortened?: boolean }>(items: readonly T[], most: number): Rows<T> {
  const rows = items.slice(0, most).map((item) => ({ ...item, ...named(item.key, item.shortened) }))
  return { rows, count: items.length }
}

export function messageOf(error: unknown): string {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE).toWellFormed()}…` : message
}
