import type { CacheStats } from '../cache/watch/stats.ts'

/** What the page is told: once, when it connects, a `Greeting`; then an `Update` at every refresh. */
export interface Greeting {
  /** Host and id of the process whose caches these are: behind a load balancer others have others. */
  readonly process: string
  readonly refresh: number
  readonly allowInvalidate: boolean
  /** To be sent along with every change. */
  readonly token: string
  readonly caches: readonly CacheGreeting[]
}

interface CacheGreeting {
  readonly name: string
  /** Oldest first. */
  readonly samples: readonly Sample[]
  readonly refills: readonly RefillReport[]
  readonly failures: readonly FailureReport[]
}

export interface Update {
  /** ms since 1970. */
  readonly at: number
  readonly caches: readonly CacheUpdate[]
}

export interface CacheUpdate {
  readonly stats: CacheStats
  /** What happened since the update before; absent in the first. */
  readonly sample: Sample | undefined
  readonly flights: Rows<{ age: number; waiters: number }>
  readonly leases: Rows<LeaseReport> & { readonly complete: boolean }
  /** Whether Redis has answered when it was last asked for leases; `absent`: there is none. */
  readonly redis: 'unknown' | 'absent' | 'answers' | 'fails'
  readonly redisError: string | undefined
  readonly hottest: readonly (Named & { readonly rate: number })[]
  readonly slowest: readonly (Named & { readonly loads: number; readonly mean: number; readonly longest: number })[]
  /** Those since the update before. */
  readonly refills: readonly RefillReport[]
  readonly failures: readonly FailureReport[]
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
