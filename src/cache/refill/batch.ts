import { AsyncResource } from 'node:async_hooks'
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

/** Values handed on in one turn of the event loop. */
const KEYS_A_TURN = 250

/**
 * Turns a batch loader into a loader of single keys. One run loads all keys requested until every key of the call is
 * decided. A key requested later, because another process gave up its refill, gets a run of its own.
 */
export class Batch<V> {
  readonly #load: BatchLoader<V>
  /** Key → its position: the loader gets the keys in the order of the call. */
  readonly #places: ReadonlyMap<string, number>
  /** By position: 1 if it is known whether this process loads the key. */
  readonly #isDecided: Uint8Array
  /** Keys for which that is not known yet. */
  #undecided: number
  #waiting: Waiting<V>[] = []
  /** The waiting loads whose time nobody else limits. */
  #taken: TimedLoad<V>[] = []
  /** Local time of the last run of the loader. */
  startedAt = 0

  readonly #core: CacheCore
  /** That of the call. */
  readonly #context = new AsyncResource('herdlock batch')

  /** `keys` without repetition. */
  constructor(load: BatchLoader<V>, keys: readonly string[], core: CacheCore) {
    this.#load = load
    this.#core = core
    const places = new Map<string, number>()
    for (const key of keys) places.set(key, places.size)
    this.#places = places
    this.#isDecided = new Uint8Array(keys.length)
    this.#undecided = keys.length
  }

  readonly loader: Loader<V> = (context) =>
    new Promise<V>((resolve, reject) => {
      const { fullKey: key, execution, flight } = context as LoadRecord<V>
      this.#waiting.push({ key, execution, flight, resolve, reject })
      if (this.#undecided === 0) this.#runInContext()
    })

  /** Takes a key to load whose lease this process has. */
  take(refill: TimedLoad<V>): void {
    this.#taken.push(refill)
    this.#waiting.push(refill)
    this.decided(refill.key)
  }

  /** Call this for each key, after its loader was run if it was. Only the first call counts. */
  decided(key: string): void {
    const place = this.#placeOf(key)
    if (this.#isDecided[place] === 0) {
      this.#isDecided[place] = 1
      this.#undecided--
    }
    if (this.#undecided === 0 && this.#waiting.length > 0) this.#runInContext()
  }

  /** The answer that decides the last key may come in the asynchronous context of any other caller. */
  #runInContext(): void {
    this.#context.runInAsyncScope(() => void this.#run())
  }

  #placeOf(key: string): number {
    return this.#places.get(withoutVersion(key)) as number
  }

  async #run(): Promise<void> {
    const batch = this.#waiting
    this.#waiting = []
    this.startedAt = this.#core.clock.now()
    this.#order(batch)
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
      for (let i = 0; i < batch.length; i++) {
        // Each value has to be copied and stored. Let other work run in between.
        if (i % KEYS_A_TURN === KEYS_A_TURN - 1) await new Promise<void>((next) => this.#core.clock.setImmediate(next))
        const each = batch[i] as Waiting<V>
        const value = (values as Map<string, V>).get(keys[i] as string)
        if (isInstance(value, Error)) each.reject(value)
        else each.resolve(value as V)
      }
    } catch (error) {
      for (const each of batch) each.reject(error)
    }
  }

  /** They are nearly always in order, so that is checked first. */
  #order(batch: Waiting<V>[]): void {
    let before = -1
    for (const { key } of batch) {
      const place = this.#placeOf(key)
      if (place < before) return void batch.sort((a, b) => this.#placeOf(a.key) - this.#placeOf(b.key))
      before = place
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

/** The context of a batch loader. */
class BatchContext {
  readonly #executions: readonly Execution[]
  #controller: AbortController | undefined

  constructor(executions: readonly Execution[]) {
    this.#executions = executions
  }

  /** Aborts when none of the keys is wanted any more. */
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
  /** Called when the load has ended, in whatever way. Set by the batch. */
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
