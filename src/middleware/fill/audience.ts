import type { Clock } from '../../clock.ts'
import { cacheStatusForward, type ForwardReason } from '../rules/cache-status.ts'
import type { Exchange } from '../flights/exchange.ts'
import { resumedFields } from '../answer/reply.ts'
import { isEventStream, placeAfterEvent } from '../rules/event-stream.ts'
import { blockOf, FieldMap, without } from '../rules/fields.ts'
import type { StorableHead } from '../stored/response-head.ts'
import { Follower, FROM_THE_START, type PlaceInLog } from './follower.ts'
import { Pace, type Reader } from './pace.ts'
import type { FollowedHead, Outlet, OutletListener } from './sink.ts'
import type { ResponseHead } from './source.ts'

const MADE_ANEW = new Set(['cache-status', 'age'])

/** The body of a response so far, and the followers that get it while it is written. */
export class Audience {
  /** All pieces. Empty after `stopKeeping`: then each follower keeps what it has still to write. */
  readonly #log: Buffer[] = []
  readonly #followers = new Set<Follower>()
  /** Requests for a part, or with a condition. What they get is known only at the end. */
  readonly #atEnd = new Set<Exchange>()
  readonly #heads = new Map<string, FollowedHead>()
  readonly #pace: Pace
  /** The run's own client, as a reader that may hold up the others. */
  readonly #client: Reader
  readonly #onAllGone: () => void
  #keeps = true
  /** The handler has flushed what it has written. Later followers get it at once too. */
  #wasFlushed = false

  /**
   * `onReady`: nobody holds up the run any more. `onAllGone`: the last follower has left.
   */
  constructor(
    client: Reader,
    {
      clock,
      stallTimeout,
      onReady,
      onAllGone,
    }: {
      clock: Clock
      stallTimeout: number
      onReady: () => void
      onAllGone: () => void
    },
  ) {
    this.#client = client
    this.#onAllGone = onAllGone
    this.#pace = new Pace(clock, stallTimeout, onReady)
  }

  get isEmpty(): boolean {
    return this.#followers.size === 0
  }

  /** Whether a reader takes nothing now, so that a body that is not kept must wait. */
  get isHeldUp(): boolean {
    return this.#pace.isHeldUp
  }

  /** Gives an exchange the header now and the body as it comes. `age`: the response's age now, in ms. */
  admit(exchange: Exchange, head: ResponseHead & StorableHead, age: number): void {
    const from = this.#placeFor(exchange, head)
    const followed = this.#followedHead(exchange.reason, head, Math.floor(age / 1000), from !== FROM_THE_START)
    const follower = this.#add((listener) => exchange.edge.follow(followed, listener), from, exchange.isHead)
    if (exchange.isHead) follower.end()
    else if (this.#wasFlushed) follower.flush()
  }

  /** Gives the body as it comes to something that is no client. */
  admitOutlet(open: (listener: OutletListener) => Outlet): void {
    this.#add(open, FROM_THE_START, false)
  }

  #add(open: (listener: OutletListener) => Outlet, from: PlaceInLog, isHead: boolean): Follower {
    const follower = new Follower(
      open,
      isHead ? [] : this.#log,
      from,
      (changed) => this.#noteChange(changed),
      (gone) => this.#drop(gone),
    )
    this.#followers.add(follower)
    return follower
  }

  /** Where an exchange begins: its client may already have the start of an event stream. */
  #placeFor({ lastEventId, isHead }: Exchange, { status, fields: flat }: ResponseHead): PlaceInLog {
    if (lastEventId === undefined || isHead || status !== 200) return FROM_THE_START
    const fields = new FieldMap(flat)
    if (!isEventStream(fields.get('content-type')) || fields.has('content-encoding')) return FROM_THE_START
    const at = placeAfterEvent(this.body(), lastEventId)
    return at === 0 ? FROM_THE_START : placeIn(this.#log, at)
  }

  admitAtEnd(exchange: Exchange): void {
    this.#atEnd.add(exchange)
  }

  /** The last piece goes out with the end, which follows at once. */
  write(chunk: Buffer, isLast: boolean): void {
    if (!this.#keeps) {
      for (const follower of this.#followers) follower.take(chunk, isLast)
      return
    }
    this.#log.push(chunk)
    if (isLast) return
    for (const follower of this.#followers) follower.advance()
  }

  flush(): void {
    this.#wasFlushed = true
    for (const follower of this.#followers) follower.flush()
  }

  /** `full`: the run's own client takes nothing more for now. Otherwise it takes more. */
  clientIs(full: boolean): void {
    if (full && !this.#keeps && this.#followers.size > 0) this.#pace.full(this.#client)
    else this.#pace.ready(this.#client)
  }

  /** The body will not be stored, for example because it is too large. From now on the slowest reader sets the pace. */
  stopKeeping(): void {
    if (!this.#keeps) return
    this.#keeps = false
    for (const follower of this.#followers) {
      follower.part()
      this.#noteChange(follower)
    }
    this.#log.length = 0
  }

  /** The whole body. */
  body(): Buffer {
    return this.#log.length === 1 ? (this.#log[0] as Buffer) : Buffer.concat(this.#log)
  }

  end(): void {
    this.#pace.end()
    for (const follower of this.#followers) follower.end()
  }

  /** The rest will never come. */
  cut(): void {
    this.#pace.end()
    for (const follower of this.#followers) follower.cut()
    this.#followers.clear()
  }

  /** Takes the exchanges that `admitAtEnd` has let in. Nothing has been sent to them. */
  takeUnbegun(): Exchange[] {
    const unbegun = [...this.#atEnd]
    this.#atEnd.clear()
    return unbegun
  }

  #noteChange(follower: Follower): void {
    if (this.#keeps) return
    // A follower reports only that it has become full. Until then it has taken something.
    if (follower.isFull) this.#pace.full(follower, true)
    else this.#pace.ready(follower)
  }

  #drop(follower: Follower): void {
    if (!this.#followers.delete(follower)) return
    this.#pace.ready(follower)
    if (this.#followers.size > 0) return
    if (!this.#keeps) this.#pace.end()
    this.#onAllGone()
  }

  /** Followers with the same reason and age share one header block: there may be thousands. */
  #followedHead(
    reason: ForwardReason,
    { status, message, fields, removed, joins }: ResponseHead & StorableHead,
    age: number,
    isResumed: boolean,
  ): FollowedHead {
    const name = `${reason} ${age} ${isResumed}`
    let followed = this.#heads.get(name)
    if (followed === undefined) {
      const member = cacheStatusForward({ reason, status, collapsed: true }, new FieldMap(fields).get('cache-status'))
      const own = age > 0 ? ['Age', String(age), 'Cache-Status', member] : ['Cache-Status', member]
      const block = blockOf([...without(fields, MADE_ANEW), ...own])
      followed = { status, message, block: isResumed ? resumedFields(block) : block, removed, joins }
      this.#heads.set(name, followed)
    }
    return followed
  }
}

function placeIn(log: readonly Buffer[], at: number): PlaceInLog {
  let [piece, byte] = [0, at]
  for (; piece < log.length; piece++) {
    const { length } = log[piece] as Buffer
    if (byte < length) break
    byte -= length
  }
  return { piece, byte }
}
