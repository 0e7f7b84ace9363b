import { AsyncLocalStorage } from 'node:async_hooks'
import { ReentrantRefillError } from '../../errors.ts'
import type { Flight, Waiter } from '../../flight/flight.ts'

/**
 * Finds loaders that would wait for themselves: directly, through loaders that they call, or through flights that others
 * have started. Keeps a graph of which flights of this process wait for which.
 *
 * A call counts as made by the loader in whose asynchronous context it is made. That may be wrong: a pool with callbacks
 * runs the next user's code in the context of the user that returned a connection. So a circle is certain only until that
 * loader has returned. After that it is a suspicion, which ends if the flight ends.
 */
export class Reentrance {
  readonly #running = new AsyncLocalStorage<Waiter>()
  /** Loaders that run now. */
  #loads = 0
  /** Flights whose loaders run now, the latest of each key. */
  readonly #loading = new Map<string, Waiter>()
  /** Flight → an earlier one of the same key, which a change has followed. */
  readonly #older = new Map<Waiter, Waiter>()
  /** The flight whose loader is running synchronously now: calls made now certainly come from it. */
  #starting: Waiter | undefined

  /** Whether this is called by a loader, directly or through others. */
  get isInLoader(): boolean {
    return this.#loads > 0 && this.#running.getStore() !== undefined
  }

  /**
   * Starts the loader of `flight`, so that its calls are known as its own, until `end`. `load` must not throw. When the last
   * loader has ended, the storage is switched off: on Node 20 and 22 an AsyncLocalStorage in use makes every promise of the
   * process several times as costly, and most of the time nothing is being loaded.
   */
  start<T>(flight: Waiter, load: () => T): T {
    this.#begin(flight)
    return this.#startAs(flight, load)
  }

  /** Runs one loader of several flights: each of them waits for whatever it asks for. */
  runTogether<T>(flights: readonly Waiter[], load: () => Promise<T>): Promise<T> {
    const [first] = flights
    if (first === undefined) return load()
    const others = flights.length - 1
    const together: Waiter = { key: others === 0 ? first.key : `${first.key} and ${others} more`, waitsFor: undefined }
    const waitsFor = new Map([[together, 1]])
    for (const flight of flights) {
      flight.waitsFor = waitsFor
      this.#begin(flight)
    }
    const loaded = this.#startAs(together, load)
    const leave = (): void => {
      for (const flight of flights) this.end(flight)
    }
    loaded.then(leave, leave)
    return loaded
  }

  #startAs<T>(waiter: Waiter, load: () => T): T {
    const outer = this.#starting
    this.#starting = waiter
    const started = this.#running.run(waiter, load)
    this.#starting = outer
    return started
  }

  #begin(node: Waiter): void {
    this.#loads++
    const older = this.#loading.get(node.key)
    if (older !== undefined) this.#older.set(node, older)
    this.#loading.set(node.key, node)
  }

  /** The loader of that flight has ended, or is no longer waited for. */
  end(node: Waiter): void {
    this.#loads--
    if (this.#loads === 0) this.#running.disable()
    const older = this.#older.get(node)
    this.#older.delete(node)
    if (this.#loading.get(node.key) !== node) {
      for (const [later, itsOlder] of this.#older) if (itsOlder === node) this.#replaceOlder(later, older)
    } else if (older === undefined) {
      this.#loading.delete(node.key)
    } else {
      this.#loading.set(node.key, older)
    }
  }

  #replaceOlder(later: Waiter, older: Waiter | undefined): void {
    if (older === undefined) this.#older.delete(later)
    else this.#older.set(later, older)
  }

  /**
   * Joins `flight`. If this is called in a loader, notes that the loader waits for the flight. Throws `ReentrantRefillError`
   * if that closes a circle. If it only seems to, returns the result of `suspect` for that error.
   */
  enter<T>(
    flight: Flight<T>,
    join: () => Promise<T>,
    suspect: (error: ReentrantRefillError) => Promise<T>,
  ): Promise<T> {
    const waiting = this.#loads === 0 ? undefined : this.#running.getStore()
    if (waiting === undefined) return join()
    const circle = path(flight, waiting)
    if (circle !== undefined && waiting === this.#starting) throw errorOf(circle)
    const suspected = circle ?? this.#pathFromOther(flight.key, waiting)
    if (suspected !== undefined) return suspect(errorOf(suspected))
    return waitFor(waiting, flight, join())
  }

  /**
   * Throws `ReentrantRefillError` if a loader of `key` has called this, directly or through others: a new load would start
   * the next one, without end. Here even a suspicion counts.
   */
  refuseInside(key: string): void {
    const waiting = this.#loads === 0 ? undefined : this.#running.getStore()
    const chain = waiting && this.#pathFromOther(key, waiting)
    if (chain !== undefined) throw errorOf(chain)
  }

  /** A flight started after a change may still wait for the lease of an older flight of its key. */
  #pathFromOther(key: string, waiting: Waiter): Waiter[] | undefined {
    for (let node = this.#loading.get(key); node !== undefined; node = this.#older.get(node)) {
      const chain = path(node, waiting)
      if (chain !== undefined) return chain
    }
    return undefined
  }
}

/** The loader at the end of the chain asks for the key that its beginning loads. */
function errorOf(chain: readonly Waiter[]): ReentrantRefillError {
  return new ReentrantRefillError([...chain.slice(-1), ...chain].map((node) => node.key))
}

/** Notes that the loader of one flight waits for another until `result` is settled. */
function waitFor<T>(waiting: Waiter, target: Waiter, result: Promise<T>): Promise<T> {
  count(waiting, target, 1)
  const leave = (): void => count(waiting, target, -1)
  result.then(leave, leave)
  return result
}

function count(waiting: Waiter, target: Waiter, change: 1 | -1): void {
  const waits = (waiting.waitsFor ??= new Map())
  const times = (waits.get(target) ?? 0) + change
  if (times === 0) waits.delete(target)
  else waits.set(target, times)
}

/** The flights from `from` to `to` along the edges, both included. */
function path(from: Waiter, to: Waiter, seen: Set<Waiter> = new Set()): Waiter[] | undefined {
  if (from === to) return [to]
  if (from.waitsFor === undefined) return undefined
  seen.add(from)
  for (const next of from.waitsFor.keys()) {
    const rest = seen.has(next) ? undefined : path(next, to, seen)
    if (rest !== undefined) return [from, ...rest]
  }
  return undefined
}
