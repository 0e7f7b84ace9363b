import type { Connection } from '../redis/connection.ts'
import type { Guard } from './claim-batch.ts'

/** One read of a batch. */
export interface ReadRequest {
  readonly valueKey: string
  onBytes(bytes: Buffer | null): void
  onFailure(error: unknown): void
}

/** Keys in one MGET; more would keep Redis from serving others for too long. */
const LARGEST_BATCH = 1000

/** Sends the reads of one tick together, as one MGET. */
export class ReadBatch {
  readonly #connection: Connection
  readonly #guard: Guard
  #pending: ReadRequest[] = []

  constructor(connection: Connection, guard: Guard) {
    this.#connection = connection
    this.#guard = guard
  }

  add(request: ReadRequest): void {
    if (this.#pending.push(request) === 1) process.nextTick(() => this.#flush())
  }

  #flush(): void {
    const pending = this.#pending
    this.#pending = []
    // On a Cluster the keys of one command must share a slot, and hardly two entries do.
    const size = this.#connection.client.isCluster ? 1 : LARGEST_BATCH
    for (let from = 0; from < pending.length; from += size) void this.#send(pending.slice(from, from + size))
  }

  async #send(batch: readonly ReadRequest[]): Promise<void> {
    const keys = batch.map(({ valueKey }) => valueKey)
    let found: (Buffer | null)[]
    try {
      const command = keys.length === 1 ? 'get' : 'mget'
      const reply = await this.#guard(() => this.#connection.commandBuffer(command, ...keys))
      found = (keys.length === 1 ? [reply] : reply) as (Buffer | null)[]
    } catch (error) {
      for (const request of batch) request.onFailure(error)
      return
    }
    for (let i = 0; i < batch.length; i++) batch[i]?.onBytes(found[i] ?? null)
  }
}
