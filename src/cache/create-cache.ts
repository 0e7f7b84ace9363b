import { systemClock, type Clock } from '../clock.ts'
import { systemRandom, type Random } from '../random.ts'
import { listPorts } from '../redis/clients/port-of.ts'
import type { Cache } from './cache.ts'
import { RefillCache } from './refill-cache.ts'
import type { StandardSchemaV1, ValueOf } from './schema/standard-schema.ts'
import type { TypedCache } from './typed-cache.ts'
import { resolveOptions, type CacheOptions, type ResolvedOptions } from './options.ts'
import { RedisTier } from './shared/tier.ts'
import { PartialLoads } from './stream/partial-loads.ts'
import { SharedStreams } from './stream/shared-streams.ts'

/**
 * A cache in memory and, with `redis`, shared by all processes that use it. Throws a `TypeError` or `RangeError` for an
 * invalid option.
 */
export function createCache<T extends StandardSchemaV1>(options: CacheOptions & { schema: T }): TypedCache<ValueOf<T>>
export function createCache(options: CacheOptions): Cache
export function createCache(options: CacheOptions): Cache {
  return createCacheOn(options, systemClock, systemRandom)
}

/** For tests, which control time and chance. */
export function createCacheOn(options: CacheOptions, clock: Clock, random: Random): Cache {
  return new RefillCache(resolveWithClients(options), clock, random, {
    openTier: (...parts) => new RedisTier(...parts),
    openPartial: (...parts) => new PartialLoads(...parts),
    openStreams: (core, claims) => new SharedStreams(core, claims),
  })
}

/** The checked and completed options, with the ports of the clients. */
export function resolveWithClients(options: CacheOptions): ResolvedOptions {
  return resolveOptions(options, (redis) => (redis === undefined ? [] : listPorts('redis', redis)))
}
