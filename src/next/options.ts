import { checkMethods, checkObject, positiveDuration } from '../check.ts'
import type { Cache } from '../cache/cache.ts'

export interface NextHandlerOptions {
  /** Where entries are kept; with `redis`, for all processes. Each handler has its own namespace in it. */
  cache: Cache
  /** ms to wait for another process to render an entry. After that, this process renders it too. Default 10 000. */
  waitTimeout?: number | undefined
  /** ms in which an entry must be rendered. Others do not wait longer for it. Default: that of the cache, 30 000. */
  loadTimeout?: number | undefined
}

/** How requests that miss wait for each other. */
export interface Patience {
  readonly waitTimeout: number
  readonly loadTimeout: number | undefined
}

/** Throws a `TypeError` or `RangeError` that names the invalid option. */
export function patienceOf(options: NextHandlerOptions): Patience {
  checkObject('options', options, 'an object with a cache')
  checkMethods('cache', options.cache, 'a cache of createCache', ['claim', 'namespace'])
  const { waitTimeout = 10_000, loadTimeout } = options
  return {
    waitTimeout: positiveDuration('waitTimeout', waitTimeout),
    loadTimeout: loadTimeout === undefined ? undefined : positiveDuration('loadTimeout', loadTimeout),
  }
}

/** Whether `next build` runs: its many processes render each page once, and Redis need not be there. */
export function isBuilding(): boolean {
  return process.env['NEXT_PHASE'] === 'phase-production-build'
}
