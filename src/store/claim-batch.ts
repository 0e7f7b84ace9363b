import type { Connection } from '../redis/connection.ts'
import type { EntryKeys } from '../redis/entry-keys.ts'
import { claim } from '../redis/scripts/claim.ts'
import { Batches } from './batches.ts'

/** One claim of a batch. */
export interface ClaimRequest {
  readonly keys: EntryKeys
  readonly token: string
  readonly lockTtl: number
  /** Instant in ms on Redis's clock: what is fresh no longer than that counts as stale. Absent: nothing does. */
  readonly freshBeyond: number | undefined
  /** The claim leaves now, at the local instant `sentAt`. */
  onSend(sentAt: number): void
  onReply(reply: ClaimReply): void
  onFailure(error: unknown): void
}

/** What Redis answers to one claim. */
export interface ClaimReply {
  /** µs on Redis's clock. */
  readonly now: number
  readonly bytes: Buffer | null
  readonly state: 'fresh' | 'leased' | number
  readonly damaged: boolean
  /** Where someone else refills: the token of that lease. */
  readonly holder: string
}

/** Claims in one call of the script; more would keep Redis from serving others for too long. */
const LARGEST_BATCH = 200

/** Sends the claims of one tick together. */
export class ClaimBatches {
  readonly #connection: Connection
  readonly #tagKeys: string
  readonly #inboxId: () => string
  readonly #guard: Guard
  readonly #now: () => number
  readonly #batches: Batches<ClaimRequest>

  /** `inboxId`: where the results of others are to be sent, '' while that cannot be received; `now`: the local instant. */
  constructor(connection: Connection, tagKeys: string, inboxId: () => string, guard: Guard, now: () => number) {
    this.#connection = connection
    this.#tagKeys = tagKeys
    this.#inboxId = inboxId
    this.#guard = guard
    this.#now = now
    this.#batches = new Batches({
      send: (batch) => this.#send(batch),
      // On a Cluster the keys of one script must share a slot, and hardly two entries do.
      largest: () => (connection.client.isCluster ? 1 : LARGEST_BATCH),
    })
  }

  add(request: ClaimRequest): void {
    this.#batches.add(request)
  }

  async #send(batch: readonly ClaimRequest[]): Promise<void> {
    const keys: string[] = []
    const args: (string | number)[] = [batch[0]?.lockTtl ?? 0, this.#inboxId(), this.#tagKeys]
    const sentAt = this.#now()
    for (const request of batch) {
      const { value, lease, waiters, last } = request.keys
      keys.push(value, lease, waiters, last)
      args.push(request.token, request.freshBeyond ?? '')
      request.onSend(sentAt)
    }
    let reply: unknown[]
    try {
      reply = (await this.#guard(() => this.#connection.runBuffer(claim, keys, args))) as unknown[]
    } catch (error) {
      for (const request of batch) request.onFailure(error)
      return
    }
    const now = Number(reply[0])
    for (let i = 0; i < batch.length; i++) batch[i]?.onReply(read(now, reply[i + 1] as RawReply))
  }
}

/** What stands between the claims and a Redis that does not answer. */
export type Guard = <T>(operation: () => Promise<T>) => Promise<T>

type RawReply = [bytes: Buffer | null, state: Buffer | number, damaged: number | Buffer, holder?: Buffer]

const FRESH = 'f'.charCodeAt(0)
const LEASED = 'l'.charCodeAt(0)

function read(now: number, [bytes, state, damaged, holder]: RawReply): ClaimReply {
  return { now, bytes, state: stateOf(state), damaged: Number(damaged) === 1, holder: holder?.toString() ?? '' }
}

function stateOf(state: Buffer | number): ClaimReply['state'] {
  if (typeof state === 'number') return state
  if (state[0] === FRESH) return 'fresh'
  return state[0] === LEASED ? 'leased' : Number(state.toString())
}
