import { outcomeChannels } from '../../diagnostics.ts'
import { isWithin, pathOf, pathsAround, shownKey } from '../../full-key.ts'
import type { ValidationIssue } from '../../errors.ts'
import { withoutVersion } from '../../key-version.ts'
import { Counts } from './counts.ts'
import type { Tier } from './stats.ts'

/** What listeners of a cache get, by event name. */
export interface CacheEvents {
  /** Answered with a fresh value. */
  hit: { key: string; tier: Tier }
  /** Answered with a stale value. */
  stale: { key: string; tier: Tier }
  /** Nothing usable was stored. This call started the load, or is the first in this process to wait for another process. */
  miss: { key: string }
  /** Joined a running flight. */
  coalesced: { key: string }
  /** A loader succeeded; `loadTime` in ms. */
  refilled: { key: string; loadTime: number }
  /** A loader failed after `loadTime` ms. */
  'refill-failed': { key: string; error: unknown; loadTime: number }
  /** The lease was lost while the loader ran. The result goes only to its own callers. */
  'lease-lost': { key: string }
  /** The schema of a call refused the value in Redis. For this call that is a miss. */
  invalid: { key: string; issues: readonly ValidationIssue[] }
  /** A middleware found a response to be for one client alone; `reason` is the `detail` of its Cache-Status. */
  unshared: { key: string; reason: string }
  /** Entries were invalidated or expired, by this process or another: the entry of the key, or without a key possibly any. */
  invalidated: { key: string | undefined }
  /** Something failed, but no caller was affected: Redis, a codec, damaged bytes. */
  error: { error: unknown }
}

export type CacheEvent = keyof CacheEvents
export type CacheListener<E extends CacheEvent> = (event: CacheEvents[E]) => void

const HIT = outcomeChannels.hit

/** A listener, and the path of the namespace whose events it gets. */
interface Listening<E extends CacheEvent> {
  readonly listener: CacheListener<E>
  readonly path: string
}

/**
 * Counts events, and passes them to the cache's own listeners and to the diagnostics channels. While nobody listens,
 * nothing is built. Keys arrive as full keys. Listeners get them as their namespace names them.
 */
export class Events extends Counts {
  readonly #name: string
  readonly #redactKey: (key: string) => string
  /** Path → the counts of that namespace. */
  readonly #ofNamespaces = new Map<string, Counts>()
  readonly #listeners = new Map<CacheEvent, Set<Listening<never>>>()
  /** Whether somebody listens to hits. A hit may afford only this one check. */
  #tellsHits = false

  /** `name` and `redactKey`: the names of the cache and its keys on the channels. */
  constructor(name: string, redactKey: (key: string) => string) {
    super()
    this.#name = name
    this.#redactKey = redactKey
  }

  /** With a path: for events in that namespace, or of its whole cache. */
  on<E extends CacheEvent>(event: E, listener: CacheListener<E>, path = ''): () => void {
    let listeners = this.#listeners.get(event)
    if (listeners === undefined) this.#listeners.set(event, (listeners = new Set()))
    const listening = { listener, path }
    listeners.add(listening)
    this.#tellsHits = this.#listeners.has('hit')
    return () => {
      listeners.delete(listening)
      if (listeners.size === 0 && this.#listeners.get(event) === listeners) this.#listeners.delete(event)
      this.#tellsHits = this.#listeners.has('hit')
    }
  }

  /** The counts of the namespace of that path: from the first call on, as long as the cache lives. */
  countsOf(path: string): Counts {
    let counts = this.#ofNamespaces.get(path)
    if (counts === undefined) this.#ofNamespaces.set(path, (counts = new Counts()))
    return counts
  }

  /** A hit in memory that no namespace counts. While nobody listens, this only counts. */
  hit(key: string): void {
    this.counts.hit++
    if (this.#tellsHits || HIT.hasSubscribers) this.#tell('hit', { key, tier: 'memory' })
  }

  hitInMemory(key: string): void {
    for (const { counts } of this.#namespacesOf(key)) counts.hit++
    this.hit(key)
  }

  hitInRedis(key: string): void {
    this.#count('hit', key)
    this.inRedis.hit++
    for (const { inRedis } of this.#namespacesOf(key)) inRedis.hit++
    if (this.#tellsHits || HIT.hasSubscribers) this.#tell('hit', { key, tier: 'redis' })
  }

  stale(key: string, tier: Tier): void {
    this.#count('stale', key)
    if (tier === 'redis') {
      this.inRedis.stale++
      for (const { inRedis } of this.#namespacesOf(key)) inRedis.stale++
    }
    if (this.#isHeard('stale')) this.#tell('stale', { key, tier })
  }

  miss(key: string): void {
    this.#count('miss', key)
    if (this.#isHeard('miss')) this.#tell('miss', { key })
  }

  coalesced(key: string): void {
    this.#count('coalesced', key)
    if (this.#isHeard('coalesced')) this.#tell('coalesced', { key })
  }

  refilled(key: string, loadTime: number): void {
    this.#count('refilled', key)
    this.#noteLoad(key, loadTime)
    if (this.#isHeard('refilled')) this.#tell('refilled', { key, loadTime })
  }

  refillFailed(key: string, error: unknown, loadTime: number): void {
    this.#count('refill-failed', key)
    this.#noteLoad(key, loadTime)
    if (this.#isHeard('refill-failed')) this.#tell('refill-failed', { key, error, loadTime })
  }

  leaseLost(key: string): void {
    this.#count('lease-lost', key)
    if (this.#isHeard('lease-lost')) this.#tell('lease-lost', { key })
  }

  invalid(key: string, issues: readonly ValidationIssue[]): void {
    this.#count('invalid', key)
    if (this.#isHeard('invalid')) this.#tell('invalid', { key, issues })
  }

  unshared(key: string, reason: string): void {
    this.#count('unshared', key)
    if (this.#isHeard('unshared')) this.#tell('unshared', { key, reason })
  }

  invalidated(key: string): void {
    this.#count('invalidated', key)
    if (this.#isHeard('invalidated')) this.#tell('invalidated', { key })
  }

  /** Some entries in the namespace of that path: those of a tag, or all. */
  invalidatedWithin(path: string): void {
    this.counts.invalidated++
    for (const [each, { counts }] of this.#ofNamespaces) if (overlap(each, path)) counts.invalidated++
    if (this.#isHeard('invalidated')) this.#tell('invalidated', { key: undefined }, path)
  }

  /** What `make` makes, or `undefined` where it throws, which costs no caller an answer. */
  orReport<T>(make: () => T): T | undefined {
    try {
      return make()
    } catch (error) {
      this.report(error)
      return undefined
    }
  }

  report(error: unknown): void {
    this.counts.error++
    if (this.#isHeard('error')) this.#tell('error', { error })
  }

  /** A refill has waited for another process. */
  waited(key: string, duration: number): void {
    for (const { waits } of [this, ...this.#namespacesOf(key)]) {
      waits.count++
      waits.sum += duration
    }
  }

  #count(event: CacheEvent, key: string): void {
    this.counts[event]++
    for (const { counts } of this.#namespacesOf(key)) counts[event]++
  }

  #noteLoad(key: string, loadTime: number): void {
    this.loadTime.note(loadTime)
    for (const counts of this.#namespacesOf(key)) counts.loadTime.note(loadTime)
  }

  /** The counts of the namespaces that contain the key. */
  #namespacesOf(key: string): readonly Counts[] {
    if (pathOf(key) === '') return NONE
    return pathsAround(key).flatMap((path) => this.#ofNamespaces.get(path) ?? [])
  }

  #isHeard(event: CacheEvent): boolean {
    return this.#listeners.has(event) || outcomeChannels[event].hasSubscribers
  }

  /**
   * `path`: where it happened, if no key says so. An error of a listener surfaces as an uncaught exception. Node does the
   * same with an error of a subscriber.
   */
  #tell<E extends CacheEvent>(event: E, description: CacheEvents[E], path = ''): void {
    const { key } = description as { key?: string }
    for (const to of [...(this.#listeners.get(event) ?? [])] as Listening<E>[]) {
      if (key === undefined ? !overlap(to.path, path) : !isWithin(key, to.path)) continue
      const told = key === undefined ? description : { ...description, key: shownKey(withoutVersion(key), to.path) }
      runApart(() => to.listener(told))
    }
    if (outcomeChannels[event].hasSubscribers) runApart(() => this.#publish(event, description))
  }

  #publish<E extends CacheEvent>(event: E, description: CacheEvents[E]): void {
    const { key } = description as { key?: string }
    const message = { cache: this.#name, ...description }
    outcomeChannels[event].publish(
      key === undefined ? message : { ...message, key: this.#redactKey(withoutVersion(key)) },
    )
  }

  clear(): void {
    this.#listeners.clear()
    this.#tellsHits = false
  }
}

const NONE: readonly Counts[] = []

/** Whether one of the namespaces contains the other. */
function overlap(path: string, other: string): boolean {
  return path.startsWith(other) || other.startsWith(path)
}

/** Runs code of the application. If it throws, nothing here is affected. */
function runApart(foreign: () => void): void {
  try {
    foreign()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
