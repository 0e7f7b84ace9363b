import type { IncomingMessage } from 'node:http'
import type { AnyCache } from '../cache/cache.ts'
import { checkBoolean, checkFunction, checkMethods, checkObject, checkString } from '../check.ts'
import { outOfRange, wrongType } from '../errors.ts'

/** Options of `dashboard`. */
export interface DashboardOptions {
  /** The caches to show, at least one; as an object: by the names under which the page shows them. */
  caches: readonly AnyCache[] | Readonly<Record<string, AnyCache>>
  /**
   * Whether a request may see the page and what it shows. Without it only a browser on this very machine may, and with
   * NODE_ENV=production nobody: `dashboard` throws.
   */
  authorize?: ((request: IncomingMessage) => boolean | Promise<boolean>) | undefined
  /** Whether those who see the page may also invalidate keys and tags. Default `false`: it only reads. */
  allowInvalidate?: boolean | undefined
  /** Where the page is, for servers that do not cut that off the URL, such as bare `node:http`. Default: cut off. */
  path?: string | undefined
  /** ms between two updates of the page, 250 to 60 000. Default 1000. */
  refresh?: number | undefined
  /**
   * Whether the page shows all processes that share a cache's Redis and prefix, and those that show pages see this one.
   * Default `true`; it costs nothing while nobody looks.
   */
  fleet?: boolean | undefined
  /**
   * Whether this process writes what its caches do into their Redis, every ten seconds, so that the page can show the last hour,
   * whoever looked. Default `false`, which costs nothing.
   */
  history?: boolean | undefined
}

export interface ResolvedDashboard {
  readonly caches: ReadonlyMap<string, AnyCache>
  readonly authorize: DashboardOptions['authorize']
  readonly allowInvalidate: boolean
  readonly path: string | undefined
  readonly refresh: number
  readonly fleet: boolean
  readonly history: boolean
}

const FASTEST = 250
const SLOWEST = 60_000

/** Checks and completes the options; throws an error that names the option at fault. */
export function resolveDashboard(
  options: DashboardOptions,
  environment: string | undefined = process.env['NODE_ENV'],
): ResolvedDashboard {
  checkObject('options', options, 'an object with caches')
  const { authorize, allowInvalidate = false, path, refresh = 1000, fleet = true, history = false } = options
  if (authorize !== undefined) checkFunction('authorize', authorize)
  if (authorize === undefined && environment === 'production') {
    throw new TypeError('authorize is required with NODE_ENV=production: else everybody could see the dashboard')
  }
  checkBoolean('allowInvalidate', allowInvalidate)
  checkBoolean('fleet', fleet)
  checkBoolean('history', history)
  if (typeof refresh !== 'number') throw wrongType('refresh', 'a number of milliseconds', refresh)
  if (!Number.isInteger(refresh) || refresh < FASTEST || refresh > SLOWEST) {
    throw outOfRange('refresh', `a whole number of milliseconds from ${FASTEST} to ${SLOWEST}`, refresh)
  }
  return {
    caches: namedCaches(options.caches),
    authorize,
    allowInvalidate,
    path: resolvePath(path),
    refresh,
    fleet,
    history,
  }
}

export function namedCaches(caches: unknown): Map<string, AnyCache> {
  checkObject('caches', caches, 'an array of caches, or an object of them by name')
  const named = new Map<string, AnyCache>()
  for (const [name, cache] of Object.entries(caches as object) as [string, AnyCache][]) {
    checkMethods(`caches.${name}`, cache, 'a Cache', ['stats', 'examine'])
    named.set(Array.isArray(caches) ? freeName(cache, named) : name, cache)
  }
  if (named.size === 0) throw outOfRange('caches', 'at least one cache', caches)
  return named
}

/** The cache's own name, if it has one, told apart from those before it. */
function freeName(cache: AnyCache & { readonly name?: unknown }, taken: ReadonlyMap<string, AnyCache>): string {
  const name = typeof cache.name === 'string' ? cache.name : 'cache'
  if (!taken.has(name)) return name
  let number = 2
  while (taken.has(`${name} ${number}`)) number++
  return `${name} ${number}`
}

function resolvePath(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const path = checkString('path', value, "a string such as '/herdlock'")
  if (!/^(\/[^/?#\s]+)+$/.test(path)) throw outOfRange('path', "a path such as '/herdlock'", path)
  return path
}
