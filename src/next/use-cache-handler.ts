import type { Cache } from '../cache/cache.ts'
import type { Lifetime } from '../cache/options.ts'
import { systemClock } from '../clock.ts'
import { entryCodec, type StoredEntry } from './entry-codec.ts'
import { HeldRefills } from './held-refills.ts'
import { isBuilding, patienceOf, type NextHandlerOptions, type Patience } from './options.ts'
import { PathMarks } from './path-marks.ts'

/** An entry as Next passes it. Times are seconds, except `timestamp`, which is ms since 1970. */
export interface UseCacheEntry {
  value: ReadableStream<Uint8Array>
  tags: string[]
  stale: number
  timestamp: number
  expire: number
  revalidate: number
}

/** What Next expects of a member of `cacheHandlers`. */
export interface UseCacheHandler {
  get(cacheKey: string, softTags: string[]): Promise<UseCacheEntry | undefined>
  set(cacheKey: string, pendingEntry: Promise<UseCacheEntry>): Promise<void>
  refreshTags(): Promise<void>
  getExpiration(tags: string[]): Promise<number>
  updateTags(tags: string[], durations?: { expire?: number }): Promise<void>
}

/** ms for which Next must accept an entry as fresh. */
const MARGIN = 1000
/** The most tags that an entry may have. */
const MAX_TAGS = 100

/**
 * A handler for Next's `cacheHandlers`. It keeps entries of `'use cache'` in the cache. One of all processes renders each
 * entry while the others wait for it. Throws for invalid options. Of its methods only `updateTags` rejects, with the
 * error of Redis.
 */
export function createUseCacheHandler(options: NextHandlerOptions): UseCacheHandler {
  const patience = patienceOf(options)
  const whole = options.cache.namespace('next')
  const handler = new Handler(whole.namespace('use-cache'), new PathMarks(whole.namespace('paths')), patience)
  return {
    get: (cacheKey, softTags) => handler.get(cacheKey, softTags),
    set: (cacheKey, pendingEntry) => handler.set(cacheKey, pendingEntry),
    refreshTags: async () => {}, // every read is as new as the last message
    getExpiration: async () => Infinity, // `get` checks the soft tags itself
    updateTags: (tags, durations) => handler.updateTags(tags, durations),
  }
}

class Handler {
  readonly #cache: Cache
  readonly #marks: PathMarks
  readonly #patience: Patience
  readonly #held = new HeldRefills<StoredEntry>()

  constructor(cache: Cache, marks: PathMarks, patience: Patience) {
    this.#cache = cache
    this.#marks = marks
    this.#patience = patience
  }

  async get(cacheKey: string, softTags: readonly string[]): Promise<UseCacheEntry | undefined> {
    if (isBuilding()) return undefined
    try {
      const key = await this.#marks.keyFor(cacheKey, softTags)
      let claim = await this.#cache.claim<StoredEntry>(key, { ...this.#patience, codec: entryCodec })
      // Only the process that renders again gets the stale entry. In others, Next might make it part of a page that
      // stays.
      if (claim.state === 'busy') claim = await claim.wait()
      if (claim.state === 'fresh') return asFresh(claim.value)
      this.#held.hold(cacheKey, claim.refill)
      return claim.stale && asStale(claim.stale)
    } catch {
      return undefined // Next renders; what it brings then is stored all the same
    }
  }

  async set(cacheKey: string, pendingEntry: Promise<UseCacheEntry>): Promise<void> {
    if (isBuilding()) return
    const refill = this.#held.take(cacheKey)
    try {
      const entry = await pendingEntry
      const stored = await toStored(entry)
      const terms = termsOf(stored)
      if (terms === undefined) refill?.context.doNotShare()
      if (refill !== undefined) await refill.settle(stored, terms)
      else if (terms !== undefined) await this.#store(cacheKey, stored, terms)
    } catch (error) {
      await refill?.fail(error)
    }
  }

  /** A result that nobody has claimed, for example when Next was told to render in any case. */
  #store(cacheKey: string, stored: StoredEntry, terms: Terms): Promise<void> {
    const { ttl, ...rest } = terms
    return this.#cache.set(cacheKey, stored, { ...rest, ttl: Math.max(ttl, 1), codec: entryCodec })
  }

  async updateTags(tags: readonly string[], durations?: { expire?: number }): Promise<void> {
    const isForgotten = durations === undefined || durations.expire === 0
    const changed = isForgotten ? this.#cache.invalidateTags(tags) : this.#cache.expireTags(tags)
    await Promise.all([changed, this.#marks.change(tags)])
  }
}

type Terms = Lifetime & { readonly ttl: number; readonly tags: readonly string[] }

/** How long an entry is kept and under which tags; `undefined` if it is not kept. */
function termsOf({ timestamp, revalidate, expire, tags }: StoredEntry): Terms | undefined {
  if (expire <= 0 || tags.length > MAX_TAGS) return undefined
  const age = Math.max(systemClock.wallNow() - timestamp, 0)
  const ttl = Math.max(Math.ceil(revalidate * 1000 - age), 0)
  return { ttl, staleWhileRevalidate: Math.max(Math.ceil((expire - revalidate) * 1000), 0) || 0, tags }
}

async function toStored({ value, ...description }: UseCacheEntry): Promise<StoredEntry> {
  const { tags, stale, timestamp, expire, revalidate } = description
  const pieces: Uint8Array[] = []
  for await (const piece of value as ReadableStream<Uint8Array> & AsyncIterable<Uint8Array>) pieces.push(piece)
  return { tags: [...tags], stale, timestamp, expire, revalidate, body: Buffer.concat(pieces) }
}

/** Next uses its own clock, the cache uses Redis's clock. This makes Next accept what the cache decides. */
function asFresh(stored: StoredEntry): UseCacheEntry {
  const bornAfter = systemClock.wallNow() - stored.revalidate * 1000 + MARGIN
  return { ...read(stored), timestamp: Math.max(stored.timestamp, bornAfter) }
}

/** Next renders it again: while it serves this one, or before, if the result is to be stored. */
function asStale(stored: StoredEntry): UseCacheEntry {
  return { ...read(stored), revalidate: -1 }
}

function read({ body, tags, ...description }: StoredEntry): UseCacheEntry {
  const value = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new Uint8Array(body)) // a reader may take its memory
      controller.close()
    },
  })
  return { ...description, tags: [...tags], value }
}
