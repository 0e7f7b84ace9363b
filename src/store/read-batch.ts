import type { Connection } from '../redis/connection.ts'
import type { Guard } from './claim-batch.ts'
import { TickBatch } from './tick-batch.ts'

/** What a batch does with what it finds. */
export interface ReadOutcome<R, T> {
  onFound(request: R, found: T | null): void
  onFailure(request: R, error: unknown): void
}

/** Keys in one MGET; more would keep Redis from serving others for too long. */
const LARGEST_BATCH = 1000
/** Bytes that one MGET may bring, judged by what came before: the whole of it has to arrive within one deadline. */
const LARGEST_REPLY = 4 * 1024 * 1024

/**
 * Sends the reads of one tick together, as one MGET. Text costs a fraction of what bytes do: a Buffer is several objects,
 * one outside the heap.
 */
export class ReadBatch<R extends { readonly valueKey: string }, T extends string | Buffer> {
  readonly #connection: Connection
  readonly #as: 'text' | 'bytes'
  readonly #guard: Guard
  readonly #outcome: ReadOutcome<R, T>
  readonly #batches: TickBatch<R>
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
    this.#batches = new TickBatch(
      () => this.#largest,
      (batch) => void this.#send(batch),
    )
  }

  add(request: R): void {
    this.#batches.add(request)
  }

  get #largest(): number {
    // On a Cluster the keys of one command must share a slot, and hardly two entries do.
    if (this.#connection.client.isCluster) return 1
    return Math.min(LARGEST_BATCH, Math.max(1, Math.floor(LARGEST_REPLY / this.#usualLength)))
  }

  async #send(batch: readonly R[]): Promise<void> {
    const keys = batch.map(({ valueKey }) => valueKey)
    let found: (T | null)[]
    try {
      const reply = await this.#guard(() => this.#ask(keys))
      found = (keys.length === 1 ? [reply] : reply) as (T | null)[]
    } catch (error) {
      for (const request of batch) this.#outcome.onFailure(request, error)
      return
    }
    this.#noteLength(found)
    for (let i = 0; i < batch.length; i++) this.#outcome.onFound(batch[i] as R, found[i] ?? null)
  }

  /** One of each batch stands for all. */
  #noteLength(found: (T | null)[]): void {
    this.#usualLength += ((found[0]?.length ?? 0) - this.#usualLength) / 4
  }

  #ask(keys: string[]): Promise<unknown> {
    const command = keys.length === 1 ? 'get' : 'mget'
    if (this.#as === 'text') return this.#connection.command(command, ...keys)
    return this.#connection.commandBuffer(command, ...keys)
  }
}
