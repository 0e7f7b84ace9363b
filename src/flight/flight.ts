import { onAbort, reasonOf } from '../abort.ts'
import { Execution } from './execution.ts'

/**
 * What a waiter of the flight of `key` does if the flight has no value for it, with what the waiter has brought. It loads
 * `alone`, because the result must not be shared, or asks `again`, because there is no result.
 */
export type Released = <V>(key: string, brought: unknown, to: 'alone' | 'again') => V | Promise<V>

/** These stand for the result of a flight that has no value for its waiters. */
const ALONE: unique symbol = Symbol('alone')
const AGAIN: unique symbol = Symbol('again')
/** Stands for a result that callers must not share: each waiter gets a copy. */
const COPIES: unique symbol = Symbol('copies')
/** Of a flight that nobody has joined yet. Never changed. */
const NOTHING: unknown[] = []
/** Marks the slot of a waiter that has left. */
const LEFT: unique symbol = Symbol('left')

/** Stands for an outcome that is not known yet. */
const NONE_YET: unique symbol = Symbol('none yet')

/** Gets the results of many flights, each for its place, instead of a promise for each. */
export interface Collector<V> {
  settled(place: number, value: V): void
  failed(place: number, reason: unknown): void
  /** The result comes with a promise of its own. */
  add(place: number, result: Promise<V>): void
}

/** What may wait for flights: the loader of one flight, or one loader of many. Used to find circles. */
export interface Waiter {
  readonly key: string
  /** And how often; created when it is first needed. */
  waitsFor: Map<Waiter, number> | undefined
}

/**
 * One execution that many callers share. The code that runs it settles it once: with a value, with a failure, or with a
 * release, after which every waiter loads or asks for itself. Thousands may wait, so a waiter costs only one promise and
 * one slot. What it needs to load for itself is kept in a queue. The reactions of a promise run in the order in which
 * they were attached, so each waiter takes its own from the front. With a shared value they wake up without running any
 * of our code.
 */
export class Flight<V> {
  /** The shared work. It is aborted by `abort`, and when the last caller has left and no background refill needs the flight. */
  readonly execution: Execution = new Execution()
  /** Made for the first waiter that needs it, with its three functions. */
  #outcome: Promise<V> | undefined
  #resolve: ((value: V) => void) | undefined
  #reject: ((reason: unknown) => void) | undefined
  #deliver: ((reason: unknown) => V | Promise<V>) | undefined
  /** Set by settle, fail and release. Only the first call counts. */
  #value: V | typeof NONE_YET = NONE_YET
  #reason: unknown = NONE_YET
  /** The first waiter, if it needs no promise. */
  #collector: Collector<V> | undefined
  #place = 0
  #collected: unknown
  /** What each waiter has brought, in the order of arrival. */
  #brought: unknown[] = NOTHING
  readonly #released: Released
  /** How many waiters have been served, if they do not share a value. */
  #delivered = 0
  /** `settled` once the callers have their answer, or are about to get it. Never goes back. */
  #phase: 'open' | 'settled' = 'open'
  /** What later callers may get instead of the result while the flight goes on. Set by `offer`. */
  #offered: (() => V | undefined) | undefined
  /** Set with the outcome COPIES. */
  #copy: (() => V) | undefined
  /** Callers that have joined and not left. */
  #callers = 0
  /** Callers that have left. */
  #left = 0
  /** Callers without a signal never leave, and neither does a background refill. */
  #lasting = false
  readonly key: string
  /** The flights that its loader waits for. */
  waitsFor: Waiter['waitsFor'] = undefined
  /** Time of the monotonic clock. */
  readonly startedAt: number

  constructor(key: string, released: Released, startedAt = 0) {
    this.key = key
    this.#released = released
    this.startedAt = startedAt
  }

  /** Whether the callers that joined have been answered. Later callers must not join: other code decides what they get. */
  get settled(): boolean {
    return this.#phase === 'settled'
  }

  get isOpen(): boolean {
    return this.#phase === 'open' && !this.execution.isAborted
  }

  /** How many callers wait for it, including the one that started it. */
  get waiters(): number {
    if (this.settled) return 0
    return this.#brought.length - this.#left + (this.#collector === undefined ? 0 : 1)
  }

  /** The shared result or, after a release, what is made from `brought`. Only while it is open. */
  join(brought: unknown, signal: AbortSignal | undefined): Promise<V> {
    if (signal !== undefined) return this.#joinUntilAborted(brought, signal)
    this.#lasting = true
    return this.#enqueue(brought)
  }

  /** Joins without a promise, as the first: `collector` gets the result for that place. */
  joinFor(collector: Collector<V>, place: number, brought: unknown): void {
    this.#lasting = true
    this.#collector = collector
    this.#place = place
    this.#collected = brought
    if (this.settled) this.#collect()
  }

  /** Keeps the flight going although no caller waits for it. */
  keep(): void {
    this.#lasting = true
  }

  /** Answers the callers with a value that they may share or, with `copy`, each with its own copy. */
  settle(value: V, copy?: () => V): void {
    this.#phase = 'settled'
    if (copy !== undefined) {
      this.#copy = copy
      return this.#end(NONE_YET, COPIES)
    }
    this.#end(value, NONE_YET)
  }

  /**
   * Answers the callers with an older value, while the execution goes on. Later callers may get it too, as long as `read`
   * returns something.
   */
  offer(read: () => V | undefined): void {
    this.#offered = read
  }

  /** What was offered to later callers, if anything was offered and is still valid. */
  takeOffer(): V | undefined {
    return this.#offered?.()
  }

  fail(reason: unknown): void {
    if (this.settled) return
    this.#phase = 'settled'
    this.#end(NONE_YET, reason)
  }

  /** Each caller loads for itself (`alone`), or asks `again`. */
  release(to: 'alone' | 'again' = 'alone'): void {
    this.#phase = 'settled'
    this.#end(NONE_YET, to === 'alone' ? ALONE : AGAIN)
  }

  #end(value: V | typeof NONE_YET, reason: unknown): void {
    if (this.#value !== NONE_YET || this.#reason !== NONE_YET) return
    this.#value = value
    this.#reason = reason
    if (this.#collector !== undefined) this.#collect()
    if (this.#outcome !== undefined) this.#settleOutcome()
  }

  #settleOutcome(): void {
    if (this.#value !== NONE_YET) return this.#resolve?.(this.#value)
    this.#outcome?.catch(ignore) // delivered to those who joined; all may have left
    this.#reject?.(this.#reason)
  }

  #collect(): void {
    const collector = this.#collector as Collector<V>
    if (this.#value !== NONE_YET) return collector.settled(this.#place, this.#value)
    try {
      const delivered = this.#answer(this.#reason, this.#collected)
      if (delivered instanceof Promise) collector.add(this.#place, delivered)
      else collector.settled(this.#place, delivered)
    } catch (reason) {
      collector.failed(this.#place, reason)
    }
  }

  #makeOutcome(): Promise<V> {
    const outcome = new Promise<V>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#outcome = outcome
    this.#deliver = (reason) => this.#answer(reason, this.#brought[this.#delivered++])
    if (this.#value !== NONE_YET || this.#reason !== NONE_YET) this.#settleOutcome()
    return outcome
  }

  #answer(reason: unknown, brought: unknown): V | Promise<V> {
    if (reason === COPIES) return (this.#copy as () => V)()
    if (reason === ALONE && brought !== LEFT) return this.#released<V>(this.key, brought, 'alone')
    if (reason === AGAIN && brought !== LEFT) return this.#released<V>(this.key, brought, 'again')
    throw reason
  }

  #enqueue(brought: unknown): Promise<V> {
    // Most flights have one waiter: a list made for one is a quarter of what one grows to at its first push.
    if (this.#brought === NOTHING) this.#brought = [brought]
    else this.#brought.push(brought)
    return (this.#outcome ?? this.#makeOutcome()).then(undefined, this.#deliver)
  }

  #joinUntilAborted(brought: unknown, signal: AbortSignal): Promise<V> {
    this.#callers++
    const place = this.#brought.length
    const result = this.#enqueue(brought)
    return new Promise((resolve, reject) => {
      const leave = onAbort(signal, () => {
        this.#callers--
        this.#left++
        this.#brought[place] = LEFT
        const reason = reasonOf(signal)
        if (this.#callers === 0 && !this.#lasting && !this.settled) this.execution.abort(reason)
        reject(reason)
      })
      result.then(resolve, reject).finally(leave)
    })
  }
}

function ignore(): void {}
