import { atEndOfTurn } from '../clock.ts'
import type { Connection } from '../redis/connection.ts'
import type { EntryKeys } from '../redis/entry-keys.ts'
import { claim } from '../redis/scripts/claim.ts'

/** One claim of a batch. */
export interface ClaimRequest {
  readonly keys: EntryKeys
  readonly token: string
  readonly lockTtl: number
  /** Instant in ms on Redis's clock: what is fresh no longer than that counts as stale. Absent: nothing does. */
  readonly freshBeyond: number | undefined
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

/**
 * Sends the claims of one tick together: what a thousand callers ask at once is not a thousand commands. One that is
 * likely to be the only one leaves at once, and travels while the rest of a herd is still being queued: where the last
 * tick had no other and none is under way. (As RFC 896, Nagle's algorithm, does with small segments.)
 */
export class ClaimBatch {
  readonly #connection: Connection
  readonly #tagKeys: string
  readonly #inboxId: () => string
  readonly #guard: Guard
  readonly #largest: number
  #pending: ClaimRequest[] = []
  #underWay = 0
  /** Whether the claim that was last gathered found no company. */
  #cameAlone = true

  /** `inboxId`: where the results of others are to be sent, '' while that cannot be received. */
  constructor(connection: Connection, tagKeys: string, inboxId: () => string, guard: Guard) {
    this.#connection = connection
    this.#tagKeys = tagKeys
    this.#inboxId = inboxId
    this.#guard = guard
    // On a Cluster the keys of one script must share a slot, and hardly two entries do.
    this.#largest = connection.client.isCluster ? 1 : LARGEST_BATCH
  }

  add(request: ClaimRequest): void {
    if (this.#cameAlone && this.#underWay === 0) return void this.#send([request])
    // Sent after this turn's promises, so that calls which those make are of the same tick.
    if (this.#pending.push(request) === 1) atEndOfTurn(() => this.#flush())
  }

  #flush(): void {
    const pending = this.#pending
    this.#pending = []
    this.#cameAlone = pending.length === 1
    for (let from = 0; from < pending.length; from += this.#largest) {
      void this.#send(pending.slice(from, from + this.#largest))
    }
  }

  async #send(batch: readonly ClaimRequest[]): Promise<void> {
    const keys: string[] = []
    const args: (string | number)[] = [batch[0]?.lockTtl ?? 0, this.#inboxId(), this.#tagKeys]
    for (const request of batch) {
      keys.push(request.keys.value, request.keys.lease, request.keys.waiters)
      args.push(request.token, request.freshBeyond ?? '')
    }
    let reply: unknown[]
    this.#underWay++
    try {
      reply = (await this.#guard(() => this.#connection.runBuffer(claim, keys, args))) as unknown[]
    } catch (error) {
      for (const request of batch) request.onFailure(error)
      return
    } finally {
      this.#underWay--
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
