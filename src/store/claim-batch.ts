import type { Clock } from '../clock.ts'
import { isCrossSlot } from '../redis/client-error.ts'
import type { Connection } from '../redis/connection.ts'
import type { EntryKeys } from '../redis/entry-keys.ts'
import type { Inboxes } from '../redis/inboxes.ts'
import { asList } from '../redis/reply.ts'
import { claim, claimInLimit } from '../redis/scripts/claim.ts'
import { Batches } from '../redis/batches.ts'
import type { Guard } from '../redis/breaker.ts'
import { AGAIN } from './notice.ts'
import type { SlotLine } from './slot-line.ts'

/** One claim of a batch. */
export interface ClaimRequest {
  readonly lockTtl: number
  /** ms for which it may be put off while loads stand in line. */
  readonly patience: number
  /** The claim leaves now, at local time `sentAt`. Most work is put off until now, because thousands may come at once. */
  send(sentAt: number): SentClaim
  /** If this takes time, resolves once the reply has been handled and every waiter has begun to wait. */
  onReply(reply: ClaimReply): unknown
  onFailure(error: unknown): void
}

/** The part of a claim that is sent. */
export interface SentClaim {
  readonly keys: EntryKeys
  readonly token: string
  /** Time in ms on Redis's clock: an entry that is fresh no longer than that counts as stale. Absent: none does. */
  readonly freshBeyond: number | undefined
  /** Whether it takes the lease from its holder. Processes that wait for that holder look again. */
  readonly takesOver: boolean
  /** Whether it also asks for a slot to load in. */
  readonly wantsSlot: boolean
}

/** Redis's answer to one claim. */
export interface ClaimReply {
  /** µs on Redis's clock. */
  readonly now: number
  readonly bytes: Buffer | null
  readonly state: 'fresh' | 'leased' | number
  readonly damaged: boolean
  /** With a lease: the state of the slot, if one was asked for. */
  readonly slot: number | undefined
  /** If another process refills: the token of its lease. */
  readonly holder: string
  /** Whether the result of that refill will be sent to this process. */
  readonly registered: boolean
}

/** Claims in one call of the script. More would keep Redis busy for too long. */
const LARGEST_BATCH = 200
/** The same if loads are limited, and batches under way at once: handing on a slot must not wait behind many claims. */
const LARGEST_IN_LIMIT = 20
const WINDOW_IN_LIMIT = 1

/** Sends the claims of one tick together. */
export class ClaimBatches {
  readonly #connection: Connection
  readonly #tagKeys: () => string
  readonly #inboxes: Inboxes
  readonly #guard: Guard
  readonly #clock: Clock
  readonly #slots: SlotLine | undefined
  readonly #batches: Batches<ClaimRequest>
  /** Claims that have not been sent. */
  #unsent = 0
  /** Local time from which none of them may be put off any more. */
  #hurryAt = Infinity
  /** Set between two batches, while claims are put off. */
  #rest: { readonly until: number; readonly end: () => void } | undefined

  /**
   * `inboxes`: where others send results, while they are open. `slots`: set if loads are limited.
   */
  constructor(
    connection: Connection,
    tagKeys: () => string,
    inboxes: Inboxes,
    guard: Guard,
    clock: Clock,
    slots: SlotLine | undefined,
  ) {
    this.#slots = slots
    this.#connection = connection
    this.#tagKeys = tagKeys
    this.#inboxes = inboxes
    this.#guard = guard
    this.#clock = clock
    this.#batches = new Batches({
      send: (batch) => this.#send(batch),
      // If all keys of a script must share a slot, one entry each: hardly any two entries share one.
      largest: () => (connection.splitsKeys ? 1 : slots === undefined ? LARGEST_BATCH : LARGEST_IN_LIMIT),
      ...(slots !== undefined && { window: WINDOW_IN_LIMIT }),
    })
  }

  add(request: ClaimRequest): void {
    this.#unsent++
    if (this.#slots !== undefined) this.#putOff(request)
    this.#batches.add(request)
  }

  #putOff({ patience }: ClaimRequest): void {
    this.#hurryAt = Math.min(this.#hurryAt, this.#clock.coarseNow() + patience)
    if (this.#rest !== undefined && this.#hurryAt < this.#rest.until) this.#rest.end()
  }

  /**
   * Nobody was answered, and loads stand in line. More of them would only cost time that the loads under way need: each has
   * a lease to extend, and waiters to tell. So the next claims leave when half of the line is gone, or in a hurry.
   */
  async #restBeside(slots: SlotLine): Promise<void> {
    const now = this.#clock.now()
    const ms = Math.min(slots.lineLasts / 2, this.#hurryAt - now)
    if (ms <= 0 || this.#unsent === 0) return
    await new Promise<void>((end) => {
      const timer = this.#clock.setTimeout(end, ms, { keepAlive: false })
      const endNow = (): void => {
        timer.cancel()
        end()
      }
      this.#rest = { until: now + ms, end: endNow }
    })
    this.#rest = undefined
  }

  async #send(batch: readonly ClaimRequest[]): Promise<void> {
    this.#unsent -= batch.length
    if (this.#unsent === 0) this.#hurryAt = Infinity
    const keys: string[] = []
    const { splitsKeys } = this.#connection
    // The keys of load slots lie in another hash slot. If that matters, slots are asked for separately.
    const slots = splitsKeys ? undefined : this.#slots
    const args: (string | number)[] = [...(slots?.rules ?? [])]
    const sentAt = this.#clock.now()
    for (const request of batch) {
      const claim = request.send(sentAt)
      const { value, lease, waiters, last } = claim.keys
      keys.push(value, lease, waiters, last)
      args.push(asked(claim))
    }
    // If keys lie on several nodes, the batch has only one entry.
    const inbox = this.#inboxes.of(keys[0] as string)
    const registered = inbox.ready
    const prefixLength = Buffer.byteLength(this.#connection.client.keyPrefix)
    args.unshift(batch[0]?.lockTtl ?? 0, registered ? inbox.address : '', this.#tagKeys(), AGAIN, prefixLength)
    if (slots !== undefined) keys.push(slots.keys.held, slots.keys.line)
    const endQuestion = inbox.ask()
    let replies: ClaimReply[]
    try {
      const script = slots === undefined ? claim : claimInLimit
      const reply = asList(await this.#guard(() => this.#connection.runBuffer(script, keys, args)), batch.length + 1)
      replies = readAll(reply, batch.length, registered)
      slots?.noteFigures(asList(reply[batch.length + 1], 3).map(Number))
    } catch (error) {
      endQuestion()
      // The Redis turns out to be sharded: from now on each claim is sent alone.
      if (isCrossSlot(error) && !splitsKeys) for (const request of batch) this.add(request)
      else for (const request of batch) request.onFailure(error)
      return
    }
    const slow: Promise<unknown>[] = []
    for (let i = 0; i < batch.length; i++) {
      const request = batch[i] as ClaimRequest
      try {
        const understood = request.onReply(replies[i] as ClaimReply)
        if (understood instanceof Promise) slow.push(understood)
      } catch (error) {
        request.onFailure(error)
      }
    }
    if (slow.length > 0) await Promise.allSettled(slow)
    endQuestion()
    if (slots !== undefined && replies.every(({ bytes }) => bytes === null)) await this.#restBeside(slots)
  }
}

/** A claim as the script reads it. Each argument costs the client more than its bytes, so the usual claim is one. */
function asked({ token, freshBeyond, takesOver, wantsSlot }: SentClaim): string {
  if (freshBeyond === undefined && !takesOver && !wantsSlot) return token
  return `${token} ${freshBeyond ?? ''} ${takesOver ? 't' : ''}${wantsSlot ? 's' : ''}`
}

type RawReply = [bytes: Buffer | null, state: Buffer | number, damaged: number | Buffer, more?: Buffer | number]

const FRESH = 'f'.charCodeAt(0)
const LEASED = 'l'.charCodeAt(0)

/** The replies to `count` claims. Throws if one is not a reply. */
function readAll(reply: readonly unknown[], count: number, registered: boolean): ClaimReply[] {
  const now = Number(reply[0])
  const replies: ClaimReply[] = []
  for (let i = 0; i < count; i++) replies.push(read(now, asList(reply[i + 1], 3) as RawReply, registered))
  return replies
}

function read(now: number, [bytes, rawState, damaged, more]: RawReply, registered: boolean): ClaimReply {
  const state = stateOf(rawState)
  const slot = state === 'leased' && more !== undefined ? Number(more) : undefined
  return { now, bytes, state, damaged: Number(damaged) === 1, slot, holder: more?.toString() ?? '', registered }
}

function stateOf(state: Buffer | number): ClaimReply['state'] {
  if (typeof state === 'number') return state
  if (state[0] === FRESH) return 'fresh'
  return state[0] === LEASED ? 'leased' : Number(state.toString())
}
