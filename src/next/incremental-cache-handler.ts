import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cache } from '../cache/cache.ts'
import type { Lifetime } from '../cache/options.ts'
import { systemClock } from '../clock.ts'
import { HeldRefills } from './held-refills.ts'
import { isBuilding, patienceOf, type NextHandlerOptions, type Patience } from './options.ts'
import { PathMarks } from './path-marks.ts'

/** Seconds; `false`: for ever. */
interface CacheControl {
  readonly revalidate: number | false
  readonly expire?: number | undefined
}

/** A response, or the result of a `fetch`, as Next passes it: of its many kinds only the fields that matter here. */
interface IncrementalValue {
  readonly kind: string
  readonly headers?: Readonly<Record<string, unknown>> | undefined
  readonly tags?: readonly string[] | undefined
  readonly revalidate?: number | false | undefined
}

/** What Next passes with a `get` or `set`. */
interface Context {
  readonly kind?: string | undefined
  readonly fetchCache?: boolean | undefined
  readonly tags?: readonly string[] | undefined
  readonly softTags?: readonly string[] | undefined
  readonly revalidate?: number | false | undefined
  readonly cacheControl?: CacheControl | undefined
}

/** What is stored, and what `get` returns. */
interface IncrementalEntry {
  readonly value: IncrementalValue | null
  /** ms since 1970. */
  readonly lastModified: number
  readonly cacheControl?: CacheControl | undefined
}

/** Next makes an instance of this class for each request. */
export interface IncrementalCacheHandler {
  get(key: string, context: object): Promise<IncrementalEntry | null>
  set(key: string, value: IncrementalValue | null, context: object): Promise<void>
  revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void>
  resetRequestCache(): void
}

/** The field in which Next puts the tags of a page. */
const TAGS_FIELD = 'x-next-cache-tags'
/** Seconds for which Next keeps entries without an end. */
const A_YEAR = 365 * 24 * 60 * 60
const MARGIN = 1000
const MAX_TAGS = 100

/**
 * A class for Next's `cacheHandler`. It keeps pages and results of `fetch` in the cache. One of all processes makes each
 * entry while the others wait for it. Throws for invalid options. `revalidateTag` rejects with the error of Redis.
 */
export function createIncrementalCacheHandler(
  options: NextHandlerOptions,
): new (context: { serverDistDir?: string | undefined }) => IncrementalCacheHandler {
  const patience = patienceOf(options)
  const whole = options.cache.namespace('next')
  const shelf = new Shelf(whole.namespace('incremental'), new PathMarks(whole.namespace('paths')), patience)
  return class implements IncrementalCacheHandler {
    readonly #build: string

    constructor({ serverDistDir }: { serverDistDir?: string | undefined }) {
      this.#build = shelf.buildIn(serverDistDir)
    }

    get(key: string, context: Context): Promise<IncrementalEntry | null> {
      return shelf.get(this.#keyOf(key, isFetch(context)), context)
    }

    set(key: string, value: IncrementalValue | null, context: Context): Promise<void> {
      return shelf.set(this.#keyOf(key, value?.kind === 'FETCH' || isFetch(context)), value, context)
    }

    revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void> {
      return shelf.revalidateTags(typeof tags === 'string' ? [tags] : tags, durations)
    }

    resetRequestCache(): void {} // nothing is kept for a request

    /** A page belongs to the build that names its scripts. The result of a `fetch` does not. */
    #keyOf(key: string, isOfFetch: boolean): string {
      return isOfFetch ? `fetch ${key}` : `page ${this.#build} ${key}`
    }
  }
}

function isFetch({ kind, fetchCache }: Context): boolean {
  return kind === 'FETCH' || fetchCache === true
}

/** What all instances share. */
class Shelf {
  readonly #cache: Cache
  readonly #marks: PathMarks
  readonly #patience: Patience
  readonly #held = new HeldRefills<IncrementalEntry>()
  /** By folder. */
  readonly #builds = new Map<string, string>()

  constructor(cache: Cache, marks: PathMarks, patience: Patience) {
    this.#cache = cache
    this.#marks = marks
    this.#patience = patience
  }

  buildIn(folder: string | undefined): string {
    if (folder === undefined) return ''
    const known = this.#builds.get(folder) ?? readBuildId(folder)
    this.#builds.set(folder, known)
    return known
  }

  async get(asked: string, context: Context): Promise<IncrementalEntry | null> {
    if (isBuilding()) return null
    // Next sends one request at a time for a key. So a request while the refill is still held means that nothing came of
    // it.
    const unused = this.#held.take(asked)
    unused?.context.doNotShare()
    void unused?.abandon()
    try {
      const key = await this.#marks.keyFor(asked, context.softTags ?? [])
      let claim = await this.#cache.claim<IncrementalEntry>(key, this.#patience)
      if (claim.state === 'busy') claim = await claim.wait()
      if (claim.state === 'fresh') return asFresh(claim.value, context)
      this.#held.hold(asked, claim.refill)
      return claim.stale === undefined ? null : asStale(claim.stale, context)
    } catch {
      return null // Next makes it; what it brings then is stored all the same
    }
  }

  async set(asked: string, value: IncrementalValue | null, context: Context): Promise<void> {
    if (isBuilding()) return
    const refill = this.#held.take(asked)
    const entry = { value, lastModified: systemClock.wallNow(), cacheControl: context.cacheControl }
    const terms = termsOf(entry, context)
    try {
      if (terms === undefined) refill?.context.doNotShare()
      if (refill !== undefined) await refill.settle(entry, terms)
      else if (terms !== undefined) await this.#cache.set(asked, entry, { ...terms, ttl: Math.max(terms.ttl, 1) })
    } catch (error) {
      await refill?.fail(error) // Next has it all the same
    }
  }

  async revalidateTags(tags: readonly string[], durations?: { expire?: number }): Promise<void> {
    const isForgotten = durations === undefined || durations.expire === 0
    const changed = isForgotten ? this.#cache.invalidateTags(tags) : this.#cache.expireTags(tags)
    await Promise.all([changed, this.#marks.change(tags)])
  }
}

function readBuildId(serverDistDir: string): string {
  try {
    return readFileSync(join(serverDistDir, '..', 'BUILD_ID'), 'utf8').trim()
  } catch {
    return ''
  }
}

type Terms = Lifetime & { readonly ttl: number; readonly tags: readonly string[] }

/** How long an entry is kept and under which tags; `undefined` if it is not kept. */
function termsOf(entry: IncrementalEntry, context: Context): Terms | undefined {
  const revalidate = revalidateOf(entry, context)
  const tags = tagsOf(entry.value, context)
  if (revalidate === 0 || tags.length > MAX_TAGS) return undefined
  const { expire = A_YEAR } = entry.cacheControl ?? {}
  return { ttl: Math.ceil(revalidate * 1000), staleWhileRevalidate: Math.max(expire - revalidate, 0) * 1000, tags }
}

/** Seconds. */
function revalidateOf({ value, cacheControl }: IncrementalEntry, context: Context): number {
  const said = cacheControl?.revalidate ?? context.revalidate ?? value?.revalidate ?? false
  return said === false ? A_YEAR : said
}

function tagsOf(value: IncrementalValue | null, context: Context): readonly string[] {
  const field = value?.headers?.[TAGS_FIELD]
  const ofPage = typeof field === 'string' ? field.split(',').filter((tag) => tag !== '') : []
  return [...new Set([...ofPage, ...(value?.tags ?? []), ...(context.tags ?? [])])]
}

/** Next uses its own clock, the cache uses Redis's clock. This makes Next accept what the cache decides. */
function asFresh(entry: IncrementalEntry, context: Context): IncrementalEntry {
  const bornAfter = systemClock.wallNow() - revalidateOf(entry, context) * 1000 + MARGIN
  return { ...entry, lastModified: Math.max(entry.lastModified, bornAfter) }
}

/** Next serves it, and makes a new one meanwhile. */
function asStale(entry: IncrementalEntry, context: Context): IncrementalEntry {
  const bornBefore = systemClock.wallNow() - revalidateOf(entry, context) * 1000 - MARGIN
  return { ...entry, lastModified: Math.min(entry.lastModified, bornBefore) }
}
