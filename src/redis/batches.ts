import { atEndOfTurn, type Clock, type Timer } from '../clock.ts'

/** Batches that may be under way at once. More would only wait inside the client, while their deadlines run. */
const WINDOW = 4
/** The same if each batch holds one item. */
const WINDOW_OF_SINGLES = 500

export interface Batching<T> {
  /** Sends a batch. Resolves when it is answered or has failed. Never rejects. */
  send(batch: readonly T[]): Promise<void>
  /** Most items in one batch. More would keep Redis busy for too long. */
  largest(): number
  /** Batches that may be under way at once, if an item is not a batch by itself. Default: 4. */
  readonly window?: number
  /** Bytes of an item, and of one batch. */
  readonly size?: { of(item: T): number; largest: number }
  /** Items wait for others while a batch is under way, for at most that many ms; never if each item is a batch by itself. */
  readonly gathering?: { readonly ms: number; readonly clock: Clock }
}

/**
 * Gathers the requests of one tick into batches, so that a thousand callers are not a thousand commands. An item that is
 * probably the only one leaves at once, while the rest of a herd is still being queued: if the last tick had no other item
 * and no batch is under way. (RFC 896, Nagle's algorithm, does the same with small segments.) A deadline counts from the
 * sending, so that a large crowd does not time out by its own length.
 */
export class Batches<T> {
  readonly #batching: Batching<T>
  #pending: T[] = []
  /** The first pending item that has not been sent. */
  #next = 0
  #underWay = 0
  #isFlushDue = false
  /** Whether the last gathered item was alone. */
  #cameAlone = true
  /** Ends the gathering. */
  #timer: Timer | undefined

  constructor(batching: Batching<T>) {
    this.#batching = batching
  }

  add(item: T): void {
    if (this.#cameAlone && this.#underWay === 0 && this.#pending.length === 0) return void this.#send([item])
    this.#pending.push(item)
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    // Sent after the promises of this turn, so that calls that they make belong to the same tick.
    atEndOfTurn(() => {
      this.#isFlushDue = false
      this.#cameAlone = this.#pending.length - this.#next === 1
      if (this.#gathers) this.#gather()
      else this.#flush()
    })
  }

  get #gathers(): boolean {
    return this.#batching.gathering !== undefined && this.#underWay > 0 && this.#batching.largest() > 1
  }

  #gather(): void {
    const { ms, clock } = this.#batching.gathering as NonNullable<Batching<T>['gathering']>
    this.#timer ??= clock.setTimeout(() => this.#flush(), ms)
  }

  #flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const window = this.#batching.largest() === 1 ? WINDOW_OF_SINGLES : (this.#batching.window ?? WINDOW)
    while (this.#next < this.#pending.length && this.#underWay < window) void this.#send(this.#take())
    if (this.#next === this.#pending.length) {
      this.#pending = []
      this.#next = 0
    }
  }

  #take(): readonly T[] {
    const { size } = this.#batching
    const from = this.#next
    const end = Math.min(from + this.#batching.largest(), this.#pending.length)
    let bytes = 0
    do {
      bytes += size?.of(this.#pending[this.#next] as T) ?? 0
      this.#next++
    } while (this.#next < end && bytes < (size?.largest ?? Infinity))
    return this.#pending.slice(from, this.#next)
  }

  async #send(batch: readonly T[]): Promise<void> {
    this.#underWay++
    await this.#batching.send(batch)
    this.#underWay--
    if (!this.#isFlushDue) this.#flush()
  }
}
