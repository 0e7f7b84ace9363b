import type { Metric, Registry } from 'prom-client'
import type { Cache } from '../cache/cache.ts'
import { families, type Family } from './families.ts'

type Source = Pick<Cache, 'stats'>

/** The caches of one registry, and the metrics that show them. */
export class Exposition {
  /** By the value of their `cache` label. */
  readonly #caches = new Map<string, Source>()
  readonly #metrics = families.map((family) => new FamilyMetric(family, this.#caches))

  /** Throws if the name is taken: with two samples of the same labels, Prometheus would drop the whole scrape. */
  add(name: string, cache: Source): () => void {
    if (this.#caches.has(name)) {
      throw new RangeError(`name must differ from that of any other cache in the registry, got ${JSON.stringify(name)}`)
    }
    this.#caches.set(name, cache)
    return () => {
      if (this.#caches.get(name) === cache) this.#caches.delete(name)
    }
  }

  /** Repeated for every cache, because the registry may have been cleared since. */
  register(registry: Registry): void {
    for (const metric of this.#metrics) registry.registerMetric(metric as unknown as Metric)
  }
}

/**
 * A metric with the interface that a registry expects. The metrics of prom-client keep numbers; these keep none, and read
 * the caches when they are asked.
 */
class FamilyMetric {
  /** Not readonly: for OpenMetrics the registry removes the suffix `_total`. */
  name: string
  readonly help: string
  readonly type: Family['type']
  readonly #family: Family
  readonly #caches: ReadonlyMap<string, Source>

  constructor(family: Family, caches: ReadonlyMap<string, Source>) {
    this.name = family.name
    this.help = family.help
    this.type = family.type
    this.#family = family
    this.#caches = caches
  }

  async get(): Promise<object> {
    const values = [...this.#caches].flatMap(([cache, source]) =>
      this.#family.read(source.stats()).map(({ value, labels, suffix }) => ({
        value,
        labels: { cache, ...labels },
        ...(suffix !== undefined && { metricName: this.name + suffix }),
      })),
    )
    return { name: this.name, help: this.help, type: this.type, values, aggregator: 'sum' }
  }

  /** Called by `registry.resetMetrics()`. It does nothing: the counts belong to the cache. */
  reset(): void {}
}
