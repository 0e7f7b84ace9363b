import type { Cache as CacheInterface } from '../cache/cache.ts'

/** The application's cache. */
export interface Cache extends CacheInterface {}

/** The token of the cache in Nest: `constructor(private readonly cache: Cache)`, `@Inject(Cache)`, `app.get(Cache)`. */
export const Cache: abstract new () => Cache = class {} as never
