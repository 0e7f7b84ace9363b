import { Flight } from './flight.ts'

/** The flights of this process by key: at most one that new callers may join. */
export class Flights {
  readonly #byKey = new Map<string, Flight<unknown>>()
  /** All that have started and not ended, the revoked ones too, and under which tags. */
  readonly #all = new Map<Flight<unknown>, { readonly key: string; readonly tags: readonly string[] }>()

  get size(): number {
    return this.#all.size
  }

  /** The flight that a caller of `key` may join. */
  current<V>(key: string): Flight<V> | undefined {
    const flight = this.#byKey.get(key) as Flight<V> | undefined
    return flight === undefined || flight.aborted ? undefined : flight
  }

  start<V>(key: string, tags: readonly string[]): Flight<V> {
    const flight = new Flight<V>()
    this.#byKey.set(key, flight as Flight<unknown>)
    this.#all.set(flight as Flight<unknown>, { key, tags })
    return flight
  }

  /** Whether `flight` is still the one of its key: neither ended, nor revoked, nor followed by another. */
  isCurrent<V>(key: string, flight: Flight<V>): boolean {
    return this.#byKey.get(key) === (flight as unknown)
  }

  /** Forgets `flight`; another that has taken its place stays. */
  end<V>(key: string, flight: Flight<V>): void {
    this.#all.delete(flight as Flight<unknown>)
    if (this.isCurrent(key, flight)) this.#byKey.delete(key)
  }

  /** Callers that come from now on start anew; those who have joined still get the old flight's result. */
  revoke(key: string): void {
    this.#byKey.delete(key)
  }

  revokeTagged(tag: string): void {
    for (const { key, tags } of this.#all.values()) if (tags.includes(tag)) this.revoke(key)
  }

  revokeAll(): void {
    this.#byKey.clear()
  }

  /** Ends every execution, whoever waits. */
  abortAll(reason: unknown): void {
    for (const flight of this.#all.keys()) flight.abort(reason)
  }
}
