import { isInstance, wrongType } from '../../errors.ts'
import { withoutVersion } from '../../key-version.ts'
import type { Execution } from '../../flight/execution.ts'
import type { Waiter } from '../../flight/flight.ts'
import type { CacheCore } from '../core.ts'
import type { Loader, LoadRecord } from './loader-context.ts'

/**
 * Loads many keys in one call. Keys that are missing from the answer have no value: they are neither returned nor
 * stored. An `Error` as the value of a key is that key's failure.
 */
export type BatchLoader<V> = (
  keys: readonly string[],
  context: { readonly signal: AbortSignal },
) => ReadonlyMap<string, V> | Promise<ReadonlyMap<string, V>>

/** Values that are handed on in one turn of the event loop. */
const KEYS_A_TURN = 250

/**
 * Turns a batch loader into a loader of single keys: those that are asked for before all of a call's keys are decided
 * are loaded in one run. A key that is asked for later, because another process gave its refill up, gets a run of its own.
 */
export class Batch<V> {
  readonly #load: BatchLoader<V>
  /** Keys of which it is not yet known whether this process loads them. */
  readonly #undecided: Set<string>
  #waiting: Waiting<V>[] = []
  /** Those of the waiting whose loads nobody else limits. */
  #taken: TimedLoad<V>[] = []
  /** Local instant at which the loader was last run. */
  startedAt = 0

  /** Key → its place among all: the loader gets the keys in the order in which they were asked for. */
  readonly #places: ReadonlyMap<string, number>
  readonly #core: CacheCore

  /** `keys` without repetition. */
  constructor(load: BatchLoader<V>, keys: readonly string[], core: CacheCore) {
    this.#load = load
    this.#core = core
    this.#undecided = new Set(keys)
    this.#places = new Map(keys.map((key, place) => [key, place]))
  }

  readonly loader: Loader<V> = (context) =>
    new Promise<V>((resolve, reject) => {
      const { fullKey: key, execution, flight } = context as LoadRecord<V>
      this.#waiting.push({ key, execution, flight, resolve, reject })
      if (this.#undecided.size === 0) void this.#run()
    })

  /** A key whose lease is taken is to be loaded. */
  take(refill: TimedLoad<V>): void {
    this.#taken.push(refill)
    this.#waiting.push(refill)
    this.#undecided.delete(withoutVersion(refill.key))
    if (this.#undecided.size === 0) void this.#run()
  }

  /** To be called for each key, after its loader was run if it was; the first time counts. */
  decided(key: string): void {
    if (!this.#undecided.delete(withoutVersion(key))) return
    if (this.#undecided.size === 0 && this.#waiting.length > 0) void this.#run()
  }

  #placeOf({ key }: Waiting<V>): number {
    return this.#places.get(withoutVersion(key)) as number
  }

  async #run(): Promise<void> {
    const batch = this.#waiting
    this.#waiting = []
    this.startedAt = this.#core.clock.now()
    const isInOrder = batch.every(
      (each, i) => i === 0 || this.#placeOf(batch[i - 1] as Waiting<V>) < this.#placeOf(each),
    )
    if (!isInOrder) batch.sort((a, b) => this.#placeOf(a) - this.#placeOf(b))
    this.#limit(this.#taken)
    this.#taken = []
    try {
      const keys = batch.map(({ key }) => withoutVersion(key))
      const context = new BatchContext(batch.map(({ execution }) => execution))
      const flights = batch.flatMap(({ flight }) => flight ?? [])
      const { reentrance, limit } = this.#core
      const load = (): Promise<unknown> => reentrance.runTogether(flights, async () => this.#load(keys, context))
      const values: unknown = await (limit === undefined ? load() : limit.runTogether(this, load))
      if (!(values instanceof Map)) throw wrongType('the result of the batch loader', 'a Map', values)
      for (const [i, each] of batch.entries()) {
        // Each value has to be copied and stored: the event loop gets its turn in between.
        if (i % KEYS_A_TURN === KEYS_A_TURN - 1) await new Promise<void>((next) => this.#core.clock.setImmediate(next))
        const value = (values as Map<string, V>).get(keys[i] as string)
        if (isInstance(value, Error)) each.reject(value)
        else each.resolve(value as V)
      }
    } catch (error) {
      for (const each of batch) each.reject(error)
    }
  }

  /** Ends loads after `loadTimeout`: one timer for all. */
  #limit(refills: readonly TimedLoad<V>[]): void {
    const [first] = refills
    if (first === undefined) return
    const timer = this.#core.clock.setTimeout(() => {
      for (const refill of refills) refill.timeOut()
    }, first.loadTimeout)
    let left = refills.length
    const onLoaded = (): void => {
      left--
      if (left === 0) timer.cancel()
    }
    for (const refill of refills) refill.onLoaded = onLoaded
  }
}

/** What a batch loader is told. */
class BatchContext {
  readonly #executions: readonly Execution[]
  #controller: AbortController | undefined

  constructor(executions: readonly Execution[]) {
    this.#executions = executions
  }

  /** Aborts when the last of the keys is not wanted any more: as long as one is, so is the load. */
  get signal(): AbortSignal {
    return (this.#controller ??= this.#watch()).signal
  }

  #watch(): AbortController {
    const controller = new AbortController()
    let left = this.#executions.length
    for (const execution of this.#executions) {
      const abort = (): void => {
        left--
        if (left === 0) controller.abort(execution.reason)
      }
      if (execution.isAborted) abort()
      else execution.onFirstAbort = abort
    }
    return controller
  }
}

/** A load whose time the batch limits. */
export interface TimedLoad<V> extends Waiting<V> {
  /** ms */
  readonly loadTimeout: number
  /** Told when the load has ended, in whatever way. Set by the batch. */
  onLoaded: () => void
  timeOut(): void
}

interface Waiting<V> {
  /** With its version. */
  readonly key: string
  readonly execution: Execution
  readonly flight: Waiter | undefined
  resolve(value: V): void
  reject(reason: unknown): void
}
