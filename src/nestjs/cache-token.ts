import type { Cache as CacheInterface } from '../cache/cache.ts'

/** The application's cache. */
export interface Cache extends CacheInterface {}

/** What Nest finds the cache by: `constructor(private readonly cache: Cache)`, `@Inject(Cache)`, `app.get(Cache)`. */
export const Cache: abstract new () => Cache = class {} as never
