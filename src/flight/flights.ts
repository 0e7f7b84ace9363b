import type { Clock } from '../clock.ts'
import { Flight } from './flight.ts'

/** The flights of this process: by key the one that new callers may join, and all that have not ended. */
export class Flights {
  readonly #byKey = new Map<string, Flight<unknown>>()
  /** The revoked ones too. */
  readonly #all = new Set<Flight<unknown>>()
  readonly #outdated = new WeakSet<Flight<unknown>>()
  readonly #clock: Pick<Clock, 'coarseNow'>
  #onEmpty: (() => void)[] = []

  constructor(clock: Pick<Clock, 'coarseNow'>) {
    this.#clock = clock
  }

  get size(): number {
    return this.#all.size
  }

  /** All that are under way, those that began first before others. */
  get all(): Iterable<Flight<unknown>> {
    return this.#all
  }

  /** The flight that a caller of `key` may join. */
  current<V>(key: string): Flight<V> | undefined {
    const flight = this.#byKey.get(key) as Flight<V> | undefined
    return flight === undefined || flight.aborted || flight.failed ? undefined : flight
  }

  start<V>(key: string, tags: readonly string[]): Flight<V> {
    const flight = new Flight<V>(key, tags, this.#clock.coarseNow())
    this.#byKey.set(key, flight as Flight<unknown>)
    this.#all.add(flight as Flight<unknown>)
    return flight
  }

  /** Whether `flight` is still the one of its key: neither ended, nor revoked, nor followed by another. */
  isCurrent<V>(flight: Flight<V>): boolean {
    return this.#byKey.get(flight.key) === (flight as unknown)
  }

  /** Whether the result of `flight` may be kept for later callers. */
  mayKeep<V>(flight: Flight<V>): boolean {
    return this.isCurrent(flight) && !this.#outdated.has(flight as Flight<unknown>)
  }

  /** What is under way may have been read before a change that nobody told of: callers get it, nobody keeps it. */
  outdateAll(): void {
    for (const flight of this.#all) this.#outdated.add(flight)
  }

  /** Forgets `flight`; another that has taken its place stays. */
  end<V>(flight: Flight<V>): void {
    if (this.isCurrent(flight)) this.#byKey.delete(flight.key)
    this.#all.delete(flight as Flight<unknown>)
    if (this.#all.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve()
  }

  /** Callers that come from now on start anew; those who have joined still get the old flight's result. */
  revoke(key: string): void {
    this.#byKey.delete(key)
  }

  /** Of flights that were started without tags it is not known yet which they will have. */
  revokeTagged(tag: string): void {
    for (const flight of this.#all) {
      const mayHaveIt = flight.tags.length === 0 || flight.tags.includes(tag)
      if (mayHaveIt && this.isCurrent(flight)) this.revoke(flight.key)
    }
  }

  revokeAll(): void {
    this.#byKey.clear()
  }

  /** Aborts every execution, whoever waits; resolves when the last has ended. */
  async abortAll(reason: unknown): Promise<void> {
    for (const flight of this.#all) flight.abort(reason)
    if (this.#all.size > 0) await new Promise<void>((resolve) => this.#onEmpty.push(resolve))
  }
}
