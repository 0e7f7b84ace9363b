import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import type { CacheCore } from './core.ts'
import type { Local } from './local/local.ts'
import type { ResolvedOptions } from './options.ts'
import type { Claims } from './read/claims.ts'
import type { RedisTier, RedisTierHooks } from './shared/tier.ts'
import type { PartialLoads } from './stream/partial-loads.ts'
import type { SharedStreams } from './stream/shared-streams.ts'

/** Parts of a cache that not every bundle has. */
export interface CacheParts {
  /** Makes the part that shares the cache with other processes. May be absent if the options name no Redis. */
  readonly openTier?: (options: ResolvedOptions, clock: Clock, random: Random, hooks: RedisTierHooks) => RedisTier
  /** Makes the part that tells other processes what loads make piece by piece. Without it they hear of whole results only. */
  readonly openPartial?: (
    redis: RedisTier,
    local: Local,
    clock: Clock,
    random: Random,
    closing: AbortSignal,
  ) => PartialLoads
  /** Makes the part for `stream`. Without it, `stream` throws. */
  readonly openStreams?: (core: CacheCore, claims: Claims) => SharedStreams
}
