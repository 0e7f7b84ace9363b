import { atEndOfTurn } from '../clock.ts'
import { isCrossSlot } from '../redis/client-error.ts'
import type { Connection } from '../redis/connection.ts'
import { asList } from '../redis/reply.ts'
import type { Guard } from '../redis/breaker.ts'

/** Makes each reader's answer of what was found. What these throw is the answer, too. */
export interface ReadOutcome<R, T> {
  onFound(request: R, found: T | null): unknown
  onFailure(request: R, error: unknown): unknown
}

/** Keys in one MGET; more would keep Redis from serving others for too long. */
const LARGEST_BATCH = 1000
/** Bytes that one MGET may bring, judged by what came before: the whole of it has to arrive within one deadline. */
const LARGEST_REPLY = 4 * 1024 * 1024

/**
 * Sends the reads of one tick together, as one MGET. Text costs a fraction of what bytes do: a Buffer is several objects,
 * one outside the heap.
 */
export class ReadBatches<R extends { readonly valueKey: string }, T extends string | Buffer> {
  readonly #connection: Connection
  readonly #as: 'text' | 'bytes'
  readonly #guard: Guard
  readonly #outcome: ReadOutcome<R, T>
  /** The one that reads of this tick join. */
  #gathering: ReadBatch<R, T> | undefined
  readonly #underWay = new Set<ReadBatch<R, T>>()
  /** Of what was found of late, a moving average. */
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

  /** Resolves with what the outcome makes of the reply, in the async context of whoever asks. */
  add(request: R): Promise<unknown> {
    const batch = this.#gathering ?? this.#begin()
    const answer = batch.add(request)
    if (batch.isFull) this.#gathering = undefined
    return answer
  }

  /** Whoever waits is told of `error`. */
  failAll(error: Error): void {
    for (const batch of this.#underWay) batch.fail(error)
  }

  #begin(): ReadBatch<R, T> {
    const batch = new ReadBatch<R, T>(this.#largest, this.#outcome)
    this.#gathering = batch
    this.#underWay.add(batch)
    // Sent after this turn's promises, so that calls which those make are of the same tick.
    atEndOfTurn(() => {
      if (this.#gathering === batch) this.#gathering = undefined
      void this.#send(batch)
    })
    return batch
  }

  get #largest(): number {
    // Where the keys of one command must share a slot: hardly two entries do.
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

  /** One of each batch stands for all. */
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
 * The readers of one MGET wait for one promise, which costs each of them less than a promise of its own with its two
 * functions would: reactions of a promise run in the order in which they were attached, so each takes its own from the
 * front.
 */
class ReadBatch<R extends { readonly valueKey: string }, T> {
  readonly #requests: R[] = []
  readonly #largest: number
  readonly #outcome: ReadOutcome<R, T>
  readonly #reply: Promise<(T | null)[]>
  #delivered = 0
  /** Both set by the constructor; the first call counts. */
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
