import type { HeldLease, Listing } from '../../store/inspector.ts'
import type { StoredEntry } from '../../store/stored-entry.ts'

/** What is known about a key, for people to look at. It describes the state a moment ago. */
export interface Inspection {
  readonly key: string
  /** Version of the value, if it has one. */
  readonly version: string | undefined
  /** What a caller would find. `unshareable`: callers load for themselves, for some seconds. */
  readonly state: 'fresh' | 'stale' | 'unshareable' | 'failed' | 'absent'
  /** The tier that would answer a caller. */
  readonly tier: 'memory' | 'redis' | undefined
  /** The entry in this process's memory. */
  readonly memory: StoredEntry | undefined
  /** The entry in Redis. */
  readonly redis: StoredEntry | undefined
  /** The process that refills it, if any. */
  readonly lease: CacheLease | undefined
  /** The flight of this process that callers would join. */
  readonly flight: CacheFlight | undefined
  /** Why Redis could not be asked, if it could not. */
  readonly redisError: unknown
}

/** A flight of this process: one execution that its callers share. */
export interface CacheFlight {
  readonly key: string
  /** Version of the value, if it has one. */
  readonly version: string | undefined
  /** ms since it started. */
  readonly age: number
  /** Callers that wait for it, including the one that started it; 0 for a background refill. */
  readonly waiters: number
}

/** The lease of a refill: the lock of the key, held by one of all processes. */
export interface CacheLease extends HeldLease {
  /** Whether this cache holds it. */
  readonly own: boolean
}

/** Leases of all processes that share a Redis and a prefix. */
export interface LeaseListing extends Listing<HeldLease> {
  readonly items: readonly CacheLease[]
}
