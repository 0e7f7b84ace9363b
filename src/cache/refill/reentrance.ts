import { AsyncLocalStorage } from 'node:async_hooks'
import { ReentrantRefillError } from '../../errors.ts'

/** A flight as the search for circles sees it: whose loader runs, and which flights that loader waits for. */
interface Node {
  readonly key: string
  /** With how often: a loader may ask for one key twice, and give up one of the two. */
  readonly waitsFor: Map<Node, number>
  /** Whether its loader has not returned yet, so that what is asked now is asked by that very code. */
  isStarting: boolean
}

/**
 * Finds loaders that would wait for themselves: directly, through loaders that they call, or through flights that
 * others have started. Keeps the graph of who waits for whom among the flights of this process.
 *
 * A call counts as made by the loader in whose asynchronous context it is made. That may be wrong: a pool that works with
 * callbacks runs the next user's code in the context of the one who returned a connection. So a circle is certain only
 * while that loader has not returned; after that it is a suspicion, which ends if the flight does.
 */
export class Reentrance {
  readonly #running = new AsyncLocalStorage<Node>()
  readonly #nodes = new WeakMap<object, Node>()
  /** Key → flights whose loaders run now: more than one where a change has followed the first. */
  readonly #loading = new Map<string, Set<Node>>()
  /** Loaders that run now. */
  #loads = 0

  /** Whether this is called by a loader, directly or by way of others. */
  get isInLoader(): boolean {
    return this.#loads > 0 && this.#running.getStore() !== undefined
  }

  /**
   * Runs the loader of `flight` so that what it asks for is known to be asked by it. When the last loader has ended the
   * storage is switched off: on Node 20 an AsyncLocalStorage in use makes every promise of the process several times as
   * costly, and most of the time nothing is being loaded.
   */
  run<V>(flight: object, key: string, load: () => Promise<V>): Promise<V> {
    this.#loads++
    const node = this.#nodeOf(flight, key)
    const loading = this.#loading.get(key) ?? new Set()
    this.#loading.set(key, loading.add(node))
    const leave = (): void => {
      this.#loads--
      if (this.#loads === 0) this.#running.disable()
      loading.delete(node)
      if (loading.size === 0) this.#loading.delete(key)
    }
    node.isStarting = true
    // What `load` throws at once is a failure like others, and `leave` must not be missed.
    const loaded = this.#running.run(node, () => new Promise<V>((resolve) => resolve(load())))
    node.isStarting = false
    loaded.then(leave, leave)
    return loaded
  }

  /**
   * Joins `flight`, noting that the loader in which this happens, if it does, waits for it. Throws `ReentrantRefillError`
   * where that closes a circle; where it only seems to, answers with what `suspect` makes of that error.
   */
  enter<T>(
    flight: object,
    key: string,
    join: () => Promise<T>,
    suspect: (error: ReentrantRefillError) => Promise<T>,
  ): Promise<T> {
    const waiting = this.#loads === 0 ? undefined : this.#running.getStore()
    if (waiting === undefined) return join()
    const target = this.#nodeOf(flight, key)
    const circle = path(target, waiting)
    if (circle !== undefined && waiting.isStarting) throw errorOf(circle)
    const suspected = circle ?? this.#pathFromOther(key, waiting)
    if (suspected !== undefined) return suspect(errorOf(suspected))
    return waitFor(waiting, target, join())
  }

  /** A flight that was started after a change may yet wait for the lease of an older one of its key. */
  #pathFromOther(key: string, waiting: Node): Node[] | undefined {
    for (const node of this.#loading.get(key) ?? []) {
      const chain = path(node, waiting)
      if (chain !== undefined) return chain
    }
    return undefined
  }

  #nodeOf(flight: object, key: string): Node {
    let node = this.#nodes.get(flight)
    if (node === undefined) this.#nodes.set(flight, (node = { key, waitsFor: new Map(), isStarting: false }))
    return node
  }
}

/** The loader at the end of the chain asks for what its beginning loads. */
function errorOf(chain: readonly Node[]): ReentrantRefillError {
  return new ReentrantRefillError([...chain.slice(-1), ...chain].map((node) => node.key))
}

/** Notes that the loader of one node waits for another until `result` is settled. */
function waitFor<T>(waiting: Node, target: Node, result: Promise<T>): Promise<T> {
  count(waiting.waitsFor, target, 1)
  const leave = (): void => count(waiting.waitsFor, target, -1)
  result.then(leave, leave)
  return result
}

function count(waits: Map<Node, number>, target: Node, change: 1 | -1): void {
  const waiting = (waits.get(target) ?? 0) + change
  if (waiting === 0) waits.delete(target)
  else waits.set(target, waiting)
}

/** The nodes from `from` to `to` along the edges, both included. */
function path(from: Node, to: Node, seen: Set<Node> = new Set()): Node[] | undefined {
  if (from === to) return [to]
  seen.add(from)
  for (const next of from.waitsFor.keys()) {
    const rest = seen.has(next) ? undefined : path(next, to, seen)
    if (rest !== undefined) return [from, ...rest]
  }
  return undefined
}
