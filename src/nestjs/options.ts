import type { Cache } from '../cache/cache.ts'
import type { CacheOptions } from '../cache/options.ts'
import type { LockerOptions } from '../lock/options.ts'
import type { SingleFlightOptions } from '../middleware/node/single-flight.ts'

/** Options of `singleFlight`, without `cache`: the module has the cache. */
export interface FlightOptions extends Omit<SingleFlightOptions, 'cache'> {}

/** Options of `HerdlockModule`. */
export interface HerdlockOptions {
  /** The options of a cache that is closed when the application shuts down, or a cache, which stays open. */
  cache: CacheOptions | Cache
  /** Options of the `Locker`. Default: locks in the `redis` of the cache's options. */
  locker?: LockerOptions | undefined
  /** Options for every `@SingleFlight()`, which may override them. */
  singleFlight?: FlightOptions | undefined
}

/** The interface of a class for `useClass` and `useExisting` of `HerdlockModule.forRootAsync`. */
export interface HerdlockOptionsFactory {
  createHerdlockOptions(): HerdlockOptions | Promise<HerdlockOptions>
}

/** The token of the options in Nest. */
export const OPTIONS: unique symbol = Symbol('herdlock.options')

export function isCache(cache: HerdlockOptions['cache']): cache is Cache {
  return typeof (cache as Partial<Cache>).getOrRefill === 'function'
}
