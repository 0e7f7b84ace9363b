import { DURATION_BOUNDS, outcomeChannels } from '../../diagnostics.ts'
import { withoutVersion } from '../../key-version.ts'
import { DurationHistogram, type Tier } from './stats.ts'

/** What a cache tells its listeners, by event name. */
export interface CacheEvents {
  /** Answered with a fresh value. */
  hit: { key: string; tier: Tier }
  /** Answered with a stale value. */
  stale: { key: string; tier: Tier }
  /** Nothing usable was stored; this call started the load, or is the first here to wait for one elsewhere. */
  miss: { key: string }
  /** Joined a flight that was under way. */
  coalesced: { key: string }
  /** A loader succeeded; `loadTime` in ms. */
  refilled: { key: string; loadTime: number }
  /** A loader failed after `loadTime` ms. */
  'refill-failed': { key: string; error: unknown; loadTime: number }
  /** The lease was lost while the loader ran; its result goes to its own callers only. */
  'lease-lost': { key: string }
  /** Entries were invalidated, here or by another process: that of the key, or without one any. */
  invalidated: { key: string | undefined }
  /** Something failed that costs no caller an answer: Redis, a codec, damaged bytes. */
  error: { error: unknown }
}

export type CacheEvent = keyof CacheEvents
export type CacheListener<E extends CacheEvent> = (event: CacheEvents[E]) => void

const HIT = outcomeChannels.hit

/**
 * Counts what happens and tells it: to the cache's own listeners, and on the channels by which others watch. While
 * nobody listens, nothing is built.
 */
export class Events {
  readonly #name: string
  readonly #redactKey: (key: string) => string
  readonly counts: Record<CacheEvent, number> = {
    hit: 0,
    stale: 0,
    miss: 0,
    coalesced: 0,
    refilled: 0,
    'refill-failed': 0,
    'lease-lost': 0,
    invalidated: 0,
    error: 0,
  }
  /** How many of the hits, fresh and stale, were found in Redis. */
  readonly inRedis: { hit: number; stale: number } = { hit: 0, stale: 0 }
  readonly loadTime: DurationHistogram = new DurationHistogram(DURATION_BOUNDS)
  readonly waits: { count: number; sum: number } = { count: 0, sum: 0 }
  readonly #listeners = new Map<CacheEvent, Set<CacheListener<never>>>()
  /** Whether somebody listens to hits: the one question that each of them may afford. */
  #tellsHits = false

  /** `name` and `redactKey`: what the cache and its keys are called on the channels. */
  constructor(name: string, redactKey: (key: string) => string) {
    this.#name = name
    this.#redactKey = redactKey
  }

  on<E extends CacheEvent>(event: E, listener: CacheListener<E>): () => void {
    let listeners = this.#listeners.get(event)
    if (listeners === undefined) this.#listeners.set(event, (listeners = new Set()))
    listeners.add(listener)
    this.#tellsHits = this.#listeners.has('hit')
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(event) === listeners) this.#listeners.delete(event)
      this.#tellsHits = this.#listeners.has('hit')
    }
  }

  /** A hit in memory: a count, and nothing else as long as nobody listens. */
  hit(key: string): void {
    this.counts.hit++
    if (this.#tellsHits || HIT.hasSubscribers) this.#tell('hit', { key, tier: 'memory' })
  }

  hitInRedis(key: string): void {
    this.counts.hit++
    this.inRedis.hit++
    if (this.#tellsHits || HIT.hasSubscribers) this.#tell('hit', { key, tier: 'redis' })
  }

  stale(key: string, tier: Tier): void {
    this.counts.stale++
    if (tier === 'redis') this.inRedis.stale++
    if (this.#isHeard('stale')) this.#tell('stale', { key, tier })
  }

  miss(key: string): void {
    this.counts.miss++
    if (this.#isHeard('miss')) this.#tell('miss', { key })
  }

  coalesced(key: string): void {
    this.counts.coalesced++
    if (this.#isHeard('coalesced')) this.#tell('coalesced', { key })
  }

  refilled(key: string, loadTime: number): void {
    this.counts.refilled++
    this.loadTime.note(loadTime)
    if (this.#isHeard('refilled')) this.#tell('refilled', { key, loadTime })
  }

  refillFailed(key: string, error: unknown, loadTime: number): void {
    this.counts['refill-failed']++
    this.loadTime.note(loadTime)
    if (this.#isHeard('refill-failed')) this.#tell('refill-failed', { key, error, loadTime })
  }

  leaseLost(key: string): void {
    this.counts['lease-lost']++
    if (this.#isHeard('lease-lost')) this.#tell('lease-lost', { key })
  }

  invalidated(key: string | undefined): void {
    this.counts.invalidated++
    if (this.#isHeard('invalidated')) this.#tell('invalidated', { key })
  }

  report(error: unknown): void {
    this.counts.error++
    if (this.#isHeard('error')) this.#tell('error', { error })
  }

  /** A refill has waited for another process. */
  waited(duration: number): void {
    this.waits.count++
    this.waits.sum += duration
  }

  #isHeard(event: CacheEvent): boolean {
    return this.#listeners.has(event) || outcomeChannels[event].hasSubscribers
  }

  /** A listener's error is the listener's: it surfaces as uncaught. So does, by Node's own rule, that of a subscriber. */
  #tell<E extends CacheEvent>(event: E, described: CacheEvents[E]): void {
    const description = withUsersKey(described)
    for (const listener of [...(this.#listeners.get(event) ?? [])] as CacheListener<E>[]) {
      runApart(() => listener(description))
    }
    if (outcomeChannels[event].hasSubscribers) runApart(() => this.#publish(event, description))
  }

  #publish<E extends CacheEvent>(event: E, description: CacheEvents[E]): void {
    const { key } = description as { key?: string }
    const message = { cache: this.#name, ...description }
    outcomeChannels[event].publish(key === undefined ? message : { ...message, key: this.#redactKey(key) })
  }

  clear(): void {
    this.#listeners.clear()
    this.#tellsHits = false
  }
}

function withUsersKey<D extends object>(description: D): D {
  const { key } = description as { key?: string }
  return key === undefined ? description : { ...description, key: withoutVersion(key) }
}

/** Runs what is not ours: if it throws, that harms nobody here. */
function runApart(foreign: () => void): void {
  try {
    foreign()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
