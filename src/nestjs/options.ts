import type { Cache } from '../cache/cache.ts'
import type { CacheOptions } from '../cache/options.ts'
import type { LockerOptions } from '../lock/options.ts'
import type { SingleFlightOptions } from '../middleware/node/single-flight.ts'

/** Options of `singleFlight`, but for the cache, which is the module's. */
export interface FlightOptions extends Omit<SingleFlightOptions, 'cache'> {}

/** Options of `HerdlockModule`. */
export interface HerdlockOptions {
  /** The options of a cache that is closed when the application shuts down, or a cache, which stays open. */
  cache: CacheOptions | Cache
  /** Options of the `Locker`. Default: locks in the `redis` of the cache's options. */
  locker?: LockerOptions | undefined
  /** What counts for every `@SingleFlight()` that does not say otherwise. */
  singleFlight?: FlightOptions | undefined
}

/** What `useClass` and `useExisting` of `HerdlockModule.forRootAsync` name. */
export interface HerdlockOptionsFactory {
  createHerdlockOptions(): HerdlockOptions | Promise<HerdlockOptions>
}

/** What Nest finds the options by. */
export const OPTIONS: unique symbol = Symbol('herdlock.options')

export function isCache(cache: HerdlockOptions['cache']): cache is Cache {
  return typeof (cache as Partial<Cache>).getOrRefill === 'function'
}
