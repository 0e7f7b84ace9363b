import { register, type Registry } from 'prom-client'
import type { Cache } from '../cache/cache.ts'
import { checkMethods, checkObject, checkString } from '../check.ts'
import { Exposition } from './exposition.ts'

/** Options of `collect`. */
export interface CollectOptions {
  /** Default: prom-client's own, `register`. */
  registry?: Registry | undefined
  /** Value of the label `cache`. Default: the cache's own name. */
  name?: string | undefined
}

const expositions = new WeakMap<object, Exposition>()

/**
 * Exports the stats of a cache at every scrape, until the returned function is called. Between scrapes it costs nothing.
 * Throws a `RangeError` if the registry has another cache with that name.
 */
export function collect(cache: Pick<Cache, 'name' | 'stats'>, options: CollectOptions = {}): () => void {
  checkMethods('cache', cache, 'a cache', ['stats'])
  checkObject('options', options)
  const { registry = register, name = cache.name } = options
  checkMethods('registry', registry, 'a Registry of prom-client', ['registerMetric'])
  checkString('name', name)
  let exposition = expositions.get(registry)
  if (exposition === undefined) expositions.set(registry, (exposition = new Exposition()))
  exposition.register(registry)
  return exposition.add(name, cache)
}
