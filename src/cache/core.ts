import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import type { Deadlines } from '../redis/deadlines.ts'
import type { Local } from './local/local.ts'
import type { ResolvedOptions } from './options.ts'
import type { Reentrance } from './refill/reentrance.ts'
import type { LoadLimit } from './shared/load-limit.ts'
import type { PartialLoads } from './stream/partial-loads.ts'
import type { RedisTier } from './shared/tier.ts'
import type { Events } from './watch/events.ts'

/** What the parts of one cache share. */
export interface CacheCore {
  readonly options: ResolvedOptions
  /** Aborts with `ClosedError` when the cache is closed. */
  readonly closing: AbortSignal
  readonly clock: Clock
  readonly random: Random
  readonly events: Events
  readonly reentrance: Reentrance
  /** When loads that have the cache's `loadTimeout` have taken too long. */
  readonly loadTimeouts: Deadlines
  /** What this process knows of its keys. */
  readonly local: Local
  /** L2 and everything that is shared with other processes; absent without Redis. */
  readonly redis: RedisTier | undefined
  /** What loads make piece by piece, told to other processes; absent without Redis. */
  readonly partial: PartialLoads | undefined
  /** Absent: any number of loads may run at once. */
  readonly limit: LoadLimit | undefined
}
