import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import type { Flights } from '../flight/flights.ts'
import type { Kept, MemoryStore } from '../store/memory-store.ts'
import type { BackOff } from './local/back-off.ts'
import type { Events } from './watch/events.ts'
import type { Memory } from './local/memory.ts'
import type { ResolvedOptions } from './options.ts'
import type { RedisTier } from './shared/tier.ts'
import type { Reentrance } from './refill/reentrance.ts'

/** What the parts of one cache share. */
export interface CacheCore {
  readonly options: ResolvedOptions
  /** Aborts with `ClosedError` when the cache is closed. */
  readonly closing: AbortSignal
  readonly clock: Clock
  readonly random: Random
  readonly events: Events
  readonly flights: Flights
  readonly reentrance: Reentrance
  /** L1, unless it is switched off. */
  readonly memory: Memory | undefined
  /** L2 and everything that is shared with other processes; absent without Redis. */
  readonly redis: RedisTier | undefined
  /** Keys whose stale value is to be served for a while without another attempt to refill it. */
  readonly backOff: BackOff
  /** Key → end of the time in which its results are taken for unshareable. */
  readonly passes: MemoryStore<Kept & { readonly until: number }>
}
