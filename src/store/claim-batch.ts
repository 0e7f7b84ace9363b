import type { Connection } from '../redis/connection.ts'
import type { EntryKeys } from '../redis/entry-keys.ts'
import { claim } from '../redis/scripts/claim.ts'

/** What one claim of a batch asks. */
export interface ClaimRequest {
  readonly keys: EntryKeys
  readonly token: string
  readonly lockTtl: number
  /** Instant in ms on Redis's clock: what is fresh no longer than that counts as stale. */
  readonly freshBeyond: number | undefined
}

/** What Redis answers to one claim. */
export interface ClaimReply {
  /** ms on Redis's clock. */
  readonly now: number
  readonly bytes: Buffer | null
  readonly state: 'fresh' | 'leased' | number
  readonly damaged: boolean
}

interface Pending {
  readonly request: ClaimRequest
  resolve(reply: ClaimReply): void
  reject(error: unknown): void
}

/** Claims in one call of the script; more would keep Redis from serving others for too long. */
const LARGEST_BATCH = 200

/** Sends the claims of one tick together: what a thousand callers ask at once is not a thousand commands. */
export class ClaimBatch {
  readonly #connection: Connection
  readonly #tagKeys: string
  readonly #inboxId: () => string
  #pending: Pending[] = []

  /** `inboxId`: where the results of others are to be sent, '' while that cannot be received. */
  constructor(connection: Connection, tagKeys: string, inboxId: () => string) {
    this.#connection = connection
    this.#tagKeys = tagKeys
    this.#inboxId = inboxId
  }

  claim(request: ClaimRequest): Promise<ClaimReply> {
    return new Promise((resolve, reject) => {
      // After this turn's promises, so that calls which those make are of the same tick.
      if (this.#pending.push({ request, resolve, reject }) === 1) process.nextTick(() => this.#flush())
    })
  }

  #flush(): void {
    const pending = this.#pending
    this.#pending = []
    // On a Cluster the keys of one script must share a slot, and hardly two entries do.
    const size = this.#connection.client.isCluster ? 1 : LARGEST_BATCH
    for (let from = 0; from < pending.length; from += size) void this.#send(pending.slice(from, from + size))
  }

  async #send(batch: readonly Pending[]): Promise<void> {
    const keys: string[] = []
    const args: (string | number)[] = [batch[0]?.request.lockTtl ?? 0, this.#inboxId(), this.#tagKeys]
    for (const { request } of batch) {
      keys.push(request.keys.value, request.keys.lease, request.keys.waiters)
      args.push(request.token, request.freshBeyond ?? '')
    }
    try {
      const reply = (await this.#connection.runBuffer(claim, keys, args)) as [number | Buffer, ...RawReply[]]
      const now = Number(reply[0])
      for (let i = 0; i < batch.length; i++) batch[i]?.resolve(read(now, reply[i + 1] as RawReply))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}

type RawReply = [bytes: Buffer | null, state: Buffer | number, damaged: number | Buffer]

function read(now: number, [bytes, state, damaged]: RawReply): ClaimReply {
  const text = String(state)
  return {
    now,
    bytes,
    state: text === 'fresh' || text === 'leased' ? text : Number(text),
    damaged: Number(damaged) === 1,
  }
}
