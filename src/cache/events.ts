/** What a cache tells its listeners, by event name. */
export interface CacheEvents {
  /** Answered with a fresh value. */
  hit: { key: string; tier: 'memory' | 'redis' }
  /** Answered with a stale value. */
  stale: { key: string }
  /** Nothing usable was stored; this call started the load, or is the first here to wait for one elsewhere. */
  miss: { key: string }
  /** Joined a flight that was under way. */
  coalesced: { key: string }
  /** A loader succeeded; `loadTime` in ms. */
  refilled: { key: string; loadTime: number }
  /** A loader failed. */
  'refill-failed': { key: string; error: unknown }
  /** The lease was lost while the loader ran; its result goes to its own callers only. */
  'lease-lost': { key: string }
  /** Entries were invalidated, here or by another process: that of the key, or without one any. */
  invalidated: { key: string | undefined }
  /** Something failed that costs no caller an answer: Redis, a codec, damaged bytes. */
  error: { error: unknown }
}

export type CacheEvent = keyof CacheEvents
export type CacheListener<E extends CacheEvent> = (event: CacheEvents[E]) => void

/** Counts since the cache was created, and its present size. */
export interface CacheStats {
  readonly hits: number
  readonly staleHits: number
  readonly misses: number
  readonly coalesced: number
  readonly refills: number
  readonly refillFailures: number
  readonly leasesLost: number
  readonly errors: number
  /** Entries in memory. */
  readonly entries: number
  /** Flights under way. */
  readonly flights: number
}

/** Counts every event and hands it to whoever listens; without listeners nothing is built. */
export class Events {
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
  readonly #listeners = new Map<CacheEvent, Set<CacheListener<never>>>()

  on<E extends CacheEvent>(event: E, listener: CacheListener<E>): () => void {
    let listeners = this.#listeners.get(event)
    if (listeners === undefined) this.#listeners.set(event, (listeners = new Set()))
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) this.#listeners.delete(event)
    }
  }

  /** A hit in memory: a count, and nothing else as long as nobody listens. */
  hit(key: string): void {
    this.counts.hit++
    if (this.#listeners.size > 0) this.#notify('hit', { key, tier: 'memory' })
  }

  /** `detail` is all but the key. A listener's error is the listener's: it surfaces as uncaught. */
  emit<E extends Exclude<CacheEvent, 'error' | 'invalidated'>>(
    event: E,
    key: string,
    detail: Omit<CacheEvents[E], 'key'>,
  ): void {
    this.counts[event]++
    if (this.#listeners.size > 0) this.#notify(event, { key, ...detail } as CacheEvents[E])
  }

  invalidated(key: string | undefined): void {
    this.counts.invalidated++
    this.#notify('invalidated', { key })
  }

  report(error: unknown): void {
    this.counts.error++
    this.#notify('error', { error })
  }

  #notify<E extends CacheEvent>(event: E, description: CacheEvents[E]): void {
    const listeners = this.#listeners.get(event)
    if (listeners === undefined) return
    for (const listener of [...listeners] as CacheListener<E>[]) {
      try {
        listener(description)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  clear(): void {
    this.#listeners.clear()
  }
}
