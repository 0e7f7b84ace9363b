import type { Clock } from '../clock.ts'
import { isWithin } from '../full-key.ts'
import { Flight, type Released } from './flight.ts'

/** Who counts flights by key. */
interface Interest {
  add(key: string): void
  remove(key: string): void
}

/** The flights of this process: by key the latest that no change has followed, and all flights that have not ended. */
export class Flights {
  readonly #byKey = new Map<string, Flight<unknown>>()
  /** By key the latest forced flight whose load has not started and that no change has followed. */
  readonly #forced = new Map<string, Flight<unknown>>()
  /** Including those that a change has followed. */
  readonly #all = new Set<Flight<unknown>>()
  readonly #clock: Pick<Clock, 'coarseNow'>
  readonly #released: Released
  readonly #interest: Interest | undefined
  #onEmpty: (() => void)[] = []

  /** `interest`: learns of which keys there are flights. */
  constructor(clock: Pick<Clock, 'coarseNow'>, released: Released, interest?: Interest) {
    this.#clock = clock
    this.#released = released
    this.#interest = interest
  }

  get size(): number {
    return this.#all.size
  }

  /** All flights of the namespace of that path that have not ended, the oldest first. */
  all(path = ''): Flight<unknown>[] {
    return [...this.#all].filter(({ key }) => isWithin(key, path))
  }

  /** The flight of `key` that no change has followed, even while it stores the value that its callers already have. */
  underWay<V>(key: string): Flight<V> | undefined {
    return this.#byKey.get(key) as Flight<V> | undefined
  }

  /** The latest flight of `key`, whatever has changed since. For people: it searches all flights. */
  latest(key: string): Flight<unknown> | undefined {
    return [...this.#all].findLast((flight) => flight.key === key)
  }

  /** The flight that a caller of `key` may join. */
  joinable<V>(key: string): Flight<V> | undefined {
    const flight = this.#byKey.get(key) as Flight<V> | undefined
    return flight?.isOpen === true ? flight : undefined
  }

  start<V>(key: string): Flight<V> {
    const flight = this.#make<V>(key)
    this.#byKey.set(key, flight as Flight<unknown>)
    return flight
  }

  /** The flight that a forced caller of `key` may join. */
  joinableForced<V>(key: string): Flight<V> | undefined {
    const flight = this.#forced.get(key) as Flight<V> | undefined
    return flight?.isOpen === true ? flight : undefined
  }

  /** A flight for forced callers. Others do not join it until `open`. */
  startForced<V>(key: string): Flight<V> {
    const flight = this.#make<V>(key)
    this.#forced.set(key, flight as Flight<unknown>)
    return flight
  }

  #make<V>(key: string): Flight<V> {
    const flight = new Flight<V>(key, this.#released, this.#clock.coarseNow())
    this.#all.add(flight as Flight<unknown>)
    this.#interest?.add(key)
    return flight
  }

  /** The load of a forced flight starts: later forced callers do not join it. */
  begun<V>(flight: Flight<V>): void {
    if (this.#forced.get(flight.key) === (flight as unknown)) this.#forced.delete(flight.key)
  }

  /** Every caller of its key may join the flight, because there is nothing else. */
  open<V>(flight: Flight<V>): void {
    this.#byKey.set(flight.key, flight as Flight<unknown>)
  }

  /** Forgets `flight`. A flight that has replaced it stays. */
  end<V>(flight: Flight<V>): void {
    if (this.#byKey.get(flight.key) === (flight as unknown)) this.#byKey.delete(flight.key)
    this.begun(flight)
    if (this.#all.delete(flight as Flight<unknown>)) this.#interest?.remove(flight.key)
    if (this.#all.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve()
  }

  /** Later callers start a new flight. Callers that have joined still get the result of the old one. */
  close(key: string): void {
    this.#byKey.delete(key)
    this.#forced.delete(key)
  }

  closeWithin(path: string): void {
    this.closeIf((key) => isWithin(key, path))
  }

  /** The same for all keys that `concerns` returns true for. */
  closeIf(concerns: (key: string) => boolean): void {
    for (const flights of [this.#byKey, this.#forced]) {
      for (const key of flights.keys()) if (concerns(key)) flights.delete(key)
    }
  }

  closeAll(): void {
    this.#byKey.clear()
    this.#forced.clear()
  }

  /** Aborts every execution, whoever waits. Resolves when the last one has ended. */
  async abortAll(reason: unknown): Promise<void> {
    for (const flight of this.#all) flight.execution.abort(reason)
    if (this.#all.size > 0) await new Promise<void>((resolve) => this.#onEmpty.push(resolve))
  }
}
