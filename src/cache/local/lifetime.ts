import { readable } from '../../redis/entry-keys.ts'
import type { Life } from '../../store/entry.ts'
import type { Storing } from '../../store/storing.ts'
import type { LoadRecord } from '../refill/loader-context.ts'
import { cap, type CallSettings } from '../options.ts'

/**
 * How a loaded value is to be stored: as its loader decided, or else as the call and the cache say, with `negativeTtl`
 * for `null`. The ttl is shortened by up to the share `jitter`, so that values stored together do not expire together.
 * `chance` is uniform in [0, 1). `kept`: tags, in readable form, that it already has.
 */
export function storingOf<V>(
  value: V,
  settings: CallSettings<V>,
  { lifetime, tags }: Pick<LoadRecord<V>, 'lifetime' | 'tags'>,
  chance: number,
  kept: readonly string[] = [],
): Storing {
  const usual = value === null ? (settings.negativeTtl ?? settings.ttl) : settings.ttl
  const ttl = cap(lifetime.ttl ?? usual)
  return {
    ttl: ttl === 0 ? 0 : Math.max(1, Math.round(ttl * (1 - settings.jitter * chance))),
    staleWhileRevalidate: cap(lifetime.staleWhileRevalidate ?? settings.staleWhileRevalidate),
    staleIfError: cap(lifetime.staleIfError ?? settings.staleIfError),
    tags: kept.length === 0 ? tagsOf(settings, { tags }) : [...new Set([...kept, ...tagsOf(settings, { tags })])],
  }
}

/** The tags of the call and those that the loader has named, in readable form. */
export function tagsOf<V>(settings: CallSettings<V>, { tags }: Pick<LoadRecord<V>, 'tags'>): readonly string[] {
  if (settings.tags.length === 0 && tags.length === 0) return NO_TAGS
  return [...new Set([...settings.tags, ...tags].map(readable))]
}

const NO_TAGS: readonly string[] = []

/** The life of an entry that is stored now. */
export function lifeFrom(now: number, storing: Storing, loadTime: number): Life {
  const freshUntil = now + storing.ttl
  return {
    freshUntil,
    staleUntil: freshUntil + storing.staleWhileRevalidate,
    errorUntil: freshUntil + storing.staleIfError,
    loadTime,
    tags: storing.tags,
  }
}

type Timed = Pick<Life, 'freshUntil' | 'loadTime'>

/**
 * Whether this reader should refill a fresh entry before it expires. The chance grows towards the end and with the time
 * of the load. XFetch, of A. Vattani, F. Chierichetti, K. Lowenstein, "Optimal Probabilistic Cache Stampede Prevention",
 * VLDB 2015. `chance` is uniform in [0, 1).
 */
export function isDueEarly({ freshUntil, loadTime }: Timed, beta: number, now: number, chance: number): boolean {
  return now - loadTime * beta * Math.log(1 - chance) >= freshUntil
}

/** Before this time `isDueEarly` is practically never true: the chance is below one in 10^8. */
export function earliestRefill({ freshUntil, loadTime }: Timed, beta: number): number {
  return freshUntil - loadTime * beta * 20
}
