import { cacheStatusForward, type ForwardReason } from '../rules/cache-status.ts'
import type { Exchange } from '../flights/exchange.ts'
import { blockOf, FieldMap, without } from '../rules/fields.ts'
import { Follower, type FollowedHead } from './follower.ts'
import type { ResponseHead } from '../node/recording.ts'
import type { StorableHead } from '../stored/response-head.ts'

const CACHE_STATUS = new Set(['cache-status'])

/** How far, in bytes, a client may at least be behind a body that is not kept. */
const MOST_BEHIND = 1024 * 1024

/** The body of a response so far, and those who get it while it is written. */
export class Audience {
  /** All pieces; from `stopKeeping` on empty: each follower keeps what it has still to write. */
  readonly #log: Buffer[] = []
  readonly #followers = new Set<Follower>()
  /** Those who ask for a part, or conditionally: what they get can be told at the end only. */
  readonly #atEnd = new Set<Exchange>()
  readonly #heads = new Map<ForwardReason, FollowedHead>()
  #keeps = true

  get isEmpty(): boolean {
    return this.#followers.size === 0
  }

  /** Gives an exchange the header now and the body as it comes. */
  admit(exchange: Exchange, head: ResponseHead & StorableHead): void {
    const followed = this.#followedHead(exchange.reason, head)
    exchange.within(() => {
      const leave = (follower: Follower) => this.#followers.delete(follower)
      this.#followers.add(new Follower(exchange, followed, this.#log, leave))
    })
  }

  /** The same header block for all who follow for the same reason: there may be thousands. */
  #followedHead(
    reason: ForwardReason,
    { status, message, fields, removed }: ResponseHead & StorableHead,
  ): FollowedHead {
    let followed = this.#heads.get(reason)
    if (followed === undefined) {
      const member = cacheStatusForward({ reason, status, collapsed: true }, new FieldMap(fields).get('cache-status'))
      const block = blockOf([...without(fields, CACHE_STATUS), 'Cache-Status', member])
      followed = { status, message, block, removed }
      this.#heads.set(reason, followed)
    }
    return followed
  }

  admitAtEnd(exchange: Exchange): void {
    this.#atEnd.add(exchange)
  }

  write(chunk: Buffer, maxBodyBytes: number): void {
    if (this.#keeps) {
      this.#log.push(chunk)
      for (const follower of this.#followers) follower.advance()
      return
    }
    for (const follower of this.#followers) {
      if (!follower.take(chunk, Math.max(maxBodyBytes, MOST_BEHIND))) follower.cut()
    }
  }

  /** The body has become too large or too old to be stored. */
  stopKeeping(): void {
    if (!this.#keeps) return
    this.#keeps = false
    for (const follower of this.#followers) follower.part()
    this.#log.length = 0
  }

  /** The whole body. */
  body(): Buffer {
    return this.#log.length === 1 ? (this.#log[0] as Buffer) : Buffer.concat(this.#log)
  }

  end(): void {
    for (const follower of this.#followers) follower.end()
  }

  /** The rest will never come. */
  cut(): void {
    for (const follower of this.#followers) follower.cut()
    this.#followers.clear()
  }

  /** Those whom `admitAtEnd` has let in: nothing has been sent to them. */
  takeUnbegun(): Exchange[] {
    const unbegun = [...this.#atEnd]
    this.#atEnd.clear()
    return unbegun
  }
}
