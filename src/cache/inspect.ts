import { isWithin, shownKey } from '../full-key.ts'
import { splitVersion } from '../key-version.ts'
import { original } from '../redis/entry-keys.ts'
import { timeLeft, type StoredEntry } from '../store/stored-entry.ts'
import type { CacheCore } from './core.ts'
import type { CacheFlight, Inspection, LeaseListing } from './watch/inspection.ts'
import type { MemoryEntry } from './local/memory-entry.ts'

/** The other fields of a mark. */
const MARK = { staleWhileRevalidate: 0, staleIfError: 0, bytes: undefined, tags: [], loadTime: 0 }
const NOTHING_LISTED: LeaseListing = { items: [], complete: true, position: '' }

/**
 * Shows people what a cache has and does, with keys and tags as seen from the namespace of a path. It changes nothing,
 * not even the order in which memory drops entries.
 */
export class Inspections {
  readonly #core: CacheCore

  constructor(core: CacheCore) {
    this.#core = core
  }

  async examine(key: string, path: string): Promise<Inspection> {
    const { redis, local } = this.#core
    const asked = await redis?.examine(key).catch((redisError: unknown) => ({ redisError }))
    const found = { entry: undefined, lease: undefined, redisError: undefined, ...asked }
    const memory = withShownTags(this.#inMemory(key), path)
    const entry = withShownTags(found.entry, path)
    // Memory answers a caller if it can. Redis is asked only if the entry in memory is no longer fresh.
    const inMemoryFirst = memory !== undefined && (memory.state !== 'stale' || entry?.state !== 'fresh')
    const flight = local.flights.latest(key)
    return {
      ...named(key, path),
      state: (inMemoryFirst ? memory : entry)?.state ?? 'absent',
      tier: inMemoryFirst ? 'memory' : entry && 'redis',
      memory,
      redis: entry,
      lease: found.lease && { ...found.lease, key: shownKey(found.lease.key, path) },
      flight: flight && this.#describe(flight, path),
      redisError: found.redisError,
    }
  }

  flights(path: string): CacheFlight[] {
    return this.#core.local.flights.all(path).map((flight) => this.#describe(flight, path))
  }

  /** Leases of this process's own flights are always included, whatever the scan finds. */
  async leases(previous: LeaseListing | undefined, path: string): Promise<LeaseListing> {
    const { redis, local } = this.#core
    if (redis === undefined) return NOTHING_LISTED
    const expected = local.flights.all(path).map(({ key }) => key)
    const { items, ...end } = await redis.leases(previous, expected)
    const within = items.filter(({ key }) => isWithin(key, path))
    return { ...end, items: within.map((lease) => ({ ...lease, key: shownKey(lease.key, path) })) }
  }

  #describe(flight: { key: string; startedAt: number; waiters: number }, path: string): CacheFlight {
    const { key, startedAt, waiters } = flight
    return { ...named(key, path), age: Math.max(this.#core.clock.now() - startedAt, 0), waiters }
  }

  #inMemory(key: string): StoredEntry | undefined {
    const now = this.#core.clock.now()
    const { local } = this.#core
    const passesUntil = local.passesUntil(key)
    if (now < passesUntil) return { state: 'unshareable', ttl: passesUntil - now, ...MARK }
    const failure = local.failureOf(key)
    const entry = local.memory?.peek(key)
    if (entry === undefined) return failure && { state: 'failed', ttl: failure.freshUntil - now, ...MARK }
    const { ttl: itsTtl, ...windows } = timeLeft(entry, now)
    const ttl = Math.min(itsTtl, Math.max(entry.memoryUntil - now, 0))
    if (ttl + windows.staleWhileRevalidate + windows.staleIfError === 0) return undefined
    // With tracking, an entry of a long key is also known by its form in Redis. No tag has a brace.
    const tags = entry.tags.filter((tag) => !tag.includes('{')).map((tag) => original(tag).key)
    const state = ttl > 0 ? 'fresh' : 'stale'
    return { state, ttl, ...windows, bytes: this.#sizeOf(entry), tags, loadTime: entry.loadTime }
  }

  /** Memory keeps values, not bytes, so their size is found by encoding them once. */
  #sizeOf({ value }: MemoryEntry): number | undefined {
    try {
      return this.#core.options.codec.encode(value).byteLength
    } catch {
      return undefined // it came with a codec of its caller's
    }
  }
}

function withShownTags(entry: StoredEntry | undefined, path: string): StoredEntry | undefined {
  return entry && { ...entry, tags: entry.tags.map((tag) => shownKey(tag, path)) }
}

/** The key as seen from that namespace, and its version. */
function named(full: string, path: string): { key: string; version: string | undefined } {
  const { key, version } = splitVersion(full)
  return { key: shownKey(key, path), version }
}
