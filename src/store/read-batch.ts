import { atEndOfTurn } from '../clock.ts'
import { isCrossSlot } from '../redis/client-error.ts'
import type { Connection } from '../redis/connection.ts'
import { asList } from '../redis/reply.ts'
import type { Guard } from '../redis/breaker.ts'

/** Makes each reader's answer from what was found. What these functions throw is also an answer. */
export interface ReadOutcome<R, T> {
  onFound(request: R, found: T | null): unknown
  onFailure(request: R, error: unknown): unknown
}

/** Keys in one MGET. More would keep Redis busy for too long. */
const LARGEST_BATCH = 1000
/** Most bytes of one MGET, estimated from earlier replies: all of it has to arrive within one deadline. */
const LARGEST_REPLY = 4 * 1024 * 1024

/**
 * Sends the reads of one tick together, as one MGET. Text costs a fraction of what bytes cost: a Buffer is several objects,
 * one of them outside the heap.
 */
export class ReadBatches<R extends { readonly valueKey: string }, T extends string | Buffer> {
  readonly #connection: Connection
  readonly #as: 'text' | 'bytes'
  readonly #guard: Guard
  readonly #outcome: ReadOutcome<R, T>
  /** The batch that reads of this tick join. */
  #gathering: ReadBatch<R, T> | undefined
  readonly #underWay = new Set<ReadBatch<R, T>>()
  /** Moving average of the length of recent values. */
  #usualLength = 0

  constructor(
    connection: Connection,
    as: T extends string ? 'text' : 'bytes',
    guard: Guard,
    outcome: ReadOutcome<R, T>,
  ) {
    this.#connection = connection
    this.#as = as
    this.#guard = guard
    this.#outcome = outcome
  }

  /** Resolves with what the outcome makes from the reply, in the async context of the caller. */
  add(request: R): Promise<unknown> {
    const batch = this.#gathering ?? this.#begin()
    const answer = batch.add(request)
    if (batch.isFull) this.#gathering = undefined
    return answer
  }

  /** All waiting reads fail with `error`. */
  failAll(error: Error): void {
    for (const batch of this.#underWay) batch.fail(error)
  }

  #begin(): ReadBatch<R, T> {
    const batch = new ReadBatch<R, T>(this.#largest, this.#outcome)
    this.#gathering = batch
    this.#underWay.add(batch)
    // Sent after this turn's promises, so that the calls that they make count as the same tick.
    atEndOfTurn(() => {
      if (this.#gathering === batch) this.#gathering = undefined
      void this.#send(batch)
    })
    return batch
  }

  get #largest(): number {
    // If all keys of a command must share a slot, one key each: hardly any two entries share one.
    if (this.#connection.splitsKeys) return 1
    return Math.min(LARGEST_BATCH, Math.max(1, Math.floor(LARGEST_REPLY / this.#usualLength)))
  }

  async #send(batch: ReadBatch<R, T>): Promise<void> {
    try {
      const found = await this.#read(batch.keys)
      this.#noteLength(found)
      batch.settle(found)
    } catch (error) {
      batch.fail(error)
    } finally {
      this.#underWay.delete(batch)
    }
  }

  /** One value of each batch stands for all. */
  #noteLength(found: (T | null)[]): void {
    this.#usualLength += ((found[0]?.length ?? 0) - this.#usualLength) / 4
  }

  async #read(keys: string[]): Promise<(T | null)[]> {
    if (keys.length === 1) return [(await this.#ask('get', keys)) as T | null]
    try {
      return asList(await this.#ask('mget', keys), keys.length) as (T | null)[]
    } catch (error) {
      if (!isCrossSlot(error)) throw error
      return Promise.all(keys.map(async (key) => (await this.#ask('get', [key])) as T | null))
    }
  }

  #ask(command: string, keys: string[]): Promise<unknown> {
    return this.#guard(() =>
      this.#as === 'text'
        ? this.#connection.command(command, ...keys)
        : this.#connection.commandBuffer(command, ...keys),
    )
  }
}

/**
 * The readers of one MGET wait for one promise. That costs each of them less than a promise of its own with its two
 * functions. Reactions of a promise run in the order in which they were attached, so each takes the next result.
 */
class ReadBatch<R extends { readonly valueKey: string }, T> {
  readonly #requests: R[] = []
  readonly #largest: number
  readonly #outcome: ReadOutcome<R, T>
  readonly #reply: Promise<(T | null)[]>
  #delivered = 0
  /** Both are set by the constructor. Only the first call counts. */
  settle!: (found: (T | null)[]) => void
  fail!: (error: unknown) => void

  constructor(largest: number, outcome: ReadOutcome<R, T>) {
    this.#largest = largest
    this.#outcome = outcome
    this.#reply = new Promise((resolve, reject) => {
      this.settle = resolve
      this.fail = reject
    })
  }

  get keys(): string[] {
    return this.#requests.map(({ valueKey }) => valueKey)
  }

  get isFull(): boolean {
    return this.#requests.length >= this.#largest
  }

  add(request: R): Promise<unknown> {
    this.#requests.push(request)
    return this.#reply.then(this.#onFound, this.#onFailure)
  }

  readonly #onFound = (found: (T | null)[]): unknown => {
    const index = this.#delivered++
    return this.#outcome.onFound(this.#requests[index] as R, found[index] ?? null)
  }

  readonly #onFailure = (error: unknown): unknown => {
    return this.#outcome.onFailure(this.#requests[this.#delivered++] as R, error)
  }
}
