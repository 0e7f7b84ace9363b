import type { Connection } from '../redis/connection.ts'
import type { Guard } from './claim-batch.ts'

/** One read of a batch: of text or of bytes, as the batch is. */
export interface ReadRequest<T extends string | Buffer> {
  readonly valueKey: string
  onFound(found: T | null): void
  onFailure(error: unknown): void
}

/** Keys in one MGET; more would keep Redis from serving others for too long. */
const LARGEST_BATCH = 1000

/**
 * Sends the reads of one tick together, as one MGET. Text costs a fraction of what bytes do: a Buffer is several objects,
 * one outside the heap.
 */
export class ReadBatch<T extends string | Buffer> {
  readonly #connection: Connection
  readonly #as: 'text' | 'bytes'
  readonly #guard: Guard
  #pending: ReadRequest<T>[] = []

  constructor(connection: Connection, as: T extends string ? 'text' : 'bytes', guard: Guard) {
    this.#connection = connection
    this.#as = as
    this.#guard = guard
  }

  add(request: ReadRequest<T>): void {
    if (this.#pending.push(request) === 1) process.nextTick(() => this.#flush())
  }

  #flush(): void {
    const pending = this.#pending
    this.#pending = []
    // On a Cluster the keys of one command must share a slot, and hardly two entries do.
    const size = this.#connection.client.isCluster ? 1 : LARGEST_BATCH
    for (let from = 0; from < pending.length; from += size) void this.#send(pending.slice(from, from + size))
  }

  async #send(batch: readonly ReadRequest<T>[]): Promise<void> {
    const keys = batch.map(({ valueKey }) => valueKey)
    const command = keys.length === 1 ? 'get' : 'mget'
    let found: (T | null)[]
    try {
      const reply = await this.#guard(() =>
        this.#as === 'text'
          ? this.#connection.command(command, ...keys)
          : this.#connection.commandBuffer(command, ...keys),
      )
      found = (keys.length === 1 ? [reply] : reply) as (T | null)[]
    } catch (error) {
      for (const request of batch) request.onFailure(error)
      return
    }
    for (let i = 0; i < batch.length; i++) batch[i]?.onFound(found[i] ?? null)
  }
}
