import { AsyncLocalStorage } from 'node:async_hooks'
import { ReentrantRefillError } from '../../errors.ts'

/** A flight as the search for circles sees it: whose loader runs, and which flights that loader waits for. */
interface Node {
  readonly key: string
  /** With how often: a loader may ask for one key twice, and give up one of the two. */
  readonly waitsFor: Map<Node, number>
}

/**
 * Finds loaders that would wait for themselves: directly, through loaders that they call, or through flights that
 * others have started. Keeps the graph of who waits for whom among the flights of this process.
 */
export class Reentrance {
  readonly #running = new AsyncLocalStorage<Node>()
  readonly #nodes = new WeakMap<object, Node>()
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
    const leave = (): void => {
      this.#loads--
      if (this.#loads === 0) this.#running.disable()
    }
    // What `load` throws at once is a failure like others, and `leave` must not be missed.
    const loaded = this.#running.run(this.#nodeOf(flight, key), () => new Promise<V>((resolve) => resolve(load())))
    loaded.then(leave, leave)
    return loaded
  }

  /** Joins `flight`, noting that the loader in which this happens, if it does, waits for it; throws on a circle. */
  enter<T>(flight: object, key: string, join: () => Promise<T>): Promise<T> {
    const waiting = this.#loads === 0 ? undefined : this.#running.getStore()
    if (waiting === undefined) return join()
    const target = this.#nodeOf(flight, key)
    const chain = path(target, waiting)
    if (chain !== undefined) throw new ReentrantRefillError([waiting.key, ...chain.map((node) => node.key)])
    count(waiting.waitsFor, target, 1)
    const result = join()
    const leave = (): void => count(waiting.waitsFor, target, -1)
    result.then(leave, leave)
    return result
  }

  #nodeOf(flight: object, key: string): Node {
    let node = this.#nodes.get(flight)
    if (node === undefined) this.#nodes.set(flight, (node = { key, waitsFor: new Map() }))
    return node
  }
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
