import type { Clock, Timer } from '../clock.ts'
import { BreakerOpenError } from '../errors.ts'
import type { Random } from '../random.ts'
import { Batches } from '../redis/batches.ts'
import { lateReply, type Connection } from '../redis/connection.ts'
import { countsSubscribers } from '../redis/counts-subscribers.ts'
import type { Inbox } from '../redis/inbox.ts'
import { asList } from '../redis/reply.ts'
import { SLOT_TOPIC } from '../redis/scripts/slot-functions.ts'
import { slots } from '../redis/scripts/slots.ts'
import { slotKeys, type SlotKeys } from '../redis/slot-keys.ts'
import { inboxOf } from './holding.ts'
import type { Broadcast } from './broadcast.ts'
import type { Guard } from '../redis/breaker.ts'

/** How a wait in line ends: the slot is ours; Redis does not answer; whoever has a slot lends it, because he waits for us. */
export type Turn = 'held' | 'away' | 'lent'
/** What a token has. */
export type SlotState = 'held' | 'in-line'

/** Slots are extended when this share of their time is gone. */
const KEEP_AFTER = 1 / 3
/** Those in line look this many ms after a slot should have ended, plus up to JITTER more at random. */
const AFTER_END = 5
const JITTER = 40
/** How often those look who cannot be told, because the inbox is not open. */
const POLL = 100
/** Tokens in one call of the script. */
const LARGEST_BATCH = 500

/** As the scripts tell the state of a token. */
const HELD = 1
const LINED_UP_ANEW = 2
const NO_PLACE = 3
/** Payload of a message: the slot of somebody who waits for this load. A slot that is handed on comes without any. */
const LENT = 'lent'

/** What is to be done with one token. */
interface Order {
  /** `look`: with none, only the slots whose time is over are taken back. */
  readonly what: 'end' | 'extend' | 'want' | 'look'
  readonly token: string
  resolve(state: number): void
  reject(error: unknown): void
}

/** One who waits in line. */
class Place {
  readonly turned: Promise<Turn>
  /** The first call counts. */
  turn!: (how: Turn) => void
  stopListening: () => void = () => {}

  constructor() {
    this.turned = new Promise((resolve) => (this.turn = resolve))
  }
}

/** How the slots stand in Redis, as it last said. */
export interface SlotFigures {
  /** Slots that are held, and tokens in line, of all processes. */
  readonly held: number
  readonly inLine: number
}

/**
 * What this process has of the slots in one Redis: those it holds, which one command keeps alive however many they are, and
 * its places in line. A slot is handed on by a message; a timer looks when a slot may have ended without one.
 */
export class SlotLine {
  readonly keys: SlotKeys
  readonly #max: number
  readonly #lost: Broadcast
  readonly #connection: Connection
  readonly #inbox: Inbox
  readonly #clock: Clock
  readonly #random: Random
  readonly #ttl: number
  readonly #guard: Guard
  readonly #report: (error: unknown) => void
  readonly #orders: Batches<Order>
  /** Tokens that somebody wants a slot for, or has one: what Redis says of any other is ended at once. */
  readonly #wanted = new Set<string>()
  /** Those of them that came with a lease, and that nobody has taken up yet. */
  readonly #unclaimed = new Set<string>()
  readonly #held = new Set<string>()
  /** By token, in the order of arrival. */
  readonly #places = new Map<string, Place>()
  readonly #stopWatching: () => void
  /** What was given back and is not acknowledged. */
  readonly #ending = new Set<Promise<unknown>>()
  /** Local instant at which all that is held was extended, or the first of it was taken. */
  #keptAt = 0
  /** Waits in this process for loads of others, which may stand in line. */
  #watching = 0
  /** Local instant at which those in line, and those who watch, are to look. */
  #lookAt = Infinity
  #timer: Timer | undefined
  /** For when it is set; Infinity when it is not. */
  #timerAt = Infinity
  figures: SlotFigures = { held: 0, inLine: 0 }

  /** `maxLoads`: slots that may be held at once, by all processes; `lost`: how it is told that a process is gone. */
  constructor(
    { connection, inbox, clock, random }: { connection: Connection; inbox: Inbox; clock: Clock; random: Random },
    { prefix, maxLoads, lockTtl }: { prefix: string; maxLoads: number; lockTtl: number },
    lost: Broadcast,
    guard: Guard,
    report: (error: unknown) => void,
  ) {
    this.keys = slotKeys(prefix)
    this.#max = maxLoads
    this.#lost = lost
    this.#connection = connection
    this.#inbox = inbox
    this.#clock = clock
    this.#random = random
    this.#ttl = lockTtl
    this.#guard = guard
    this.#report = report
    this.#orders = new Batches({ send: (batch) => this.#send(batch), largest: () => LARGEST_BATCH })
    this.#stopWatching = inbox.onReset(() => this.#lookForAll())
  }

  /** Arguments of the scripts. */
  get rules(): readonly (string | number)[] {
    const { channel, message } = this.#lost
    return [this.#max, countsSubscribers(this.#connection), this.#connection.channel(channel), message]
  }

  /** What a claim has got for the token, which is somebody's from now on; `undefined`: nothing. */
  takeUp(token: string): SlotState | undefined {
    this.#unclaimed.delete(token)
    return this.#stateOf(token)
  }

  #stateOf(token: string): SlotState | undefined {
    if (this.#held.has(token)) return 'held'
    return this.#places.has(token) ? 'in-line' : undefined
  }

  /** A claim that was sent at `sentAt` has asked for a slot under that token, and this is the answer. */
  noteClaimed(token: string, state: number, sentAt: number): void {
    this.#wanted.add(token)
    this.#unclaimed.add(token)
    this.#note(token, state, sentAt)
  }

  /** The lease has ended that the token was claimed with: what nobody has taken up goes to others. */
  drop(token: string): void {
    if (this.#unclaimed.has(token)) this.leave(token)
  }

  #note(token: string, state: number, sentAt: number): void {
    if (!this.#wanted.has(token)) this.#end(token)
    else if (state === HELD) this.#hold(token)
    else this.#lineUp(token, sentAt)
    // It could not wait then, as nobody could have told it.
    if (state === NO_PLACE && this.#inbox.ready) this.#want(token).catch(() => {}) // the timer looks, too
  }

  noteFigures([held, inLine, endsIn]: readonly number[]): void {
    this.figures = { held: held as number, inLine: inLine as number }
    const after = Math.max(endsIn as number, 0) + AFTER_END + JITTER * this.#random.uniform()
    const now = this.#clock.now()
    if (this.#places.size > 0) {
      // Slots that are extended again and again put no look off.
      this.#lookAt = Math.min(now + (this.#inbox.ready ? after : POLL), this.#lookAt)
    } else {
      this.#lookAt = held === 0 ? Infinity : now + after // a process that only watches has no slot to miss
    }
    this.#schedule()
  }

  /** A load of another process is waited for: whether that process is gone shows in the slots. Until the returned function is called. */
  watch(): () => void {
    this.#watching++
    this.#schedule()
    return () => void this.#watching--
  }

  /** Asks for a slot; resolves with what the token has then, `away` where Redis does not answer. */
  async take(token: string): Promise<SlotState | 'away'> {
    if (!this.#inbox.ready) this.#inbox.open().catch(() => {})
    this.#wanted.add(token)
    try {
      await this.#want(token)
      return this.#stateOf(token) ?? 'away'
    } catch (error) {
      this.unanswered(token, error)
      return 'away'
    }
  }

  /** Resolves when the turn of a token in line has come. */
  turnOf(token: string): Promise<Turn> {
    return this.#places.get(token)?.turned ?? Promise.resolve('held')
  }

  /** Ends whatever the token has. The next in line gets its slot. */
  leave(token: string): void {
    if (!this.#wanted.delete(token)) return
    this.#unclaimed.delete(token)
    this.#forget(token)
    this.#held.delete(token)
    this.#end(token)
    this.#schedule()
  }

  /** A slot may have been handed to a token that does not want it any more. */
  unheard(topic: string, payload: Buffer): void {
    const token = topic.slice(SLOT_TOPIC.length)
    if (topic.startsWith(SLOT_TOPIC) && payload.length === 0 && !this.#wanted.has(token)) this.#end(token)
  }

  /** What asked for a slot and failed here may yet be carried out there: on the same connection the end comes after it. */
  unanswered(token: string, error: unknown): void {
    this.#wanted.delete(token)
    if (error instanceof BreakerOpenError) return
    this.#report(error)
    this.#end(token)
    lateReply(error)?.then(
      () => this.#end(token),
      () => {},
    )
  }

  /** Tells the holder of a lease that somebody who has a slot waits for that load: it need not wait in line. */
  lend(token: string): void {
    const inbox = inboxOf(token)
    if (inbox === undefined) return
    const topic = SLOT_TOPIC + token
    this.#connection
      .command('publish', `herdlock:inbox:${inbox}`, `${topic.length}:${topic}${LENT}`)
      .catch(this.#report)
  }

  /** Calls `listener` when a slot is lent to the holder of that lease, until the returned function is called. */
  onLent(token: string, listener: () => void): () => void {
    return this.#inbox.listen(SLOT_TOPIC + token, (payload) => {
      if (payload.toString() === LENT) listener()
    })
  }

  /** Resolves when what was given back is back. */
  async close(): Promise<void> {
    this.#stopWatching()
    for (const token of this.#wanted) this.leave(token)
    this.#timer?.cancel()
    await Promise.all(this.#ending)
  }

  #hold(token: string): void {
    const place = this.#places.get(token)
    this.#forget(token)
    if (this.#held.size === 0) this.#keptAt = this.#clock.now()
    this.#held.add(token)
    this.#schedule()
    place?.turn('held')
  }

  /** `since`: a message that has come since then may have overtaken the reply that says to wait. */
  #lineUp(token: string, since: number): void {
    if (this.#places.has(token) || this.#held.has(token)) return
    const place = new Place()
    this.#places.set(token, place)
    const hear = (payload: Buffer): void => (payload.toString() === LENT ? place.turn('lent') : this.#hold(token))
    const stop = this.#inbox.listen(SLOT_TOPIC + token, hear, since)
    if (this.#places.has(token)) place.stopListening = stop
    else stop() // its turn has come already
    this.#schedule()
  }

  #forget(token: string): void {
    this.#places.get(token)?.stopListening()
    this.#places.delete(token)
  }

  #want(token: string): Promise<number> {
    return new Promise((resolve, reject) => this.#orders.add({ what: 'want', token, resolve, reject }))
  }

  #end(token: string): void {
    const ended = new Promise<unknown>((resolve, reject) => this.#orders.add({ what: 'end', token, resolve, reject }))
      .catch(this.#orReport)
      .finally(() => this.#ending.delete(ended))
    this.#ending.add(ended)
  }

  readonly #orReport = (error: unknown): void => {
    if (!(error instanceof BreakerOpenError)) this.#report(error)
  }

  async #send(batch: readonly Order[]): Promise<void> {
    const tokens = (what: Order['what']): string[] => batch.flatMap((order) => (order.what === what ? order.token : []))
    const [ending, wanting] = [tokens('end'), tokens('want')]
    const extending = tokens('extend').filter((token) => this.#held.has(token)) // not what has ended meanwhile
    const head = [...this.rules, this.#ttl, this.#inbox.ready ? '1' : '', ending.length, extending.length]
    const { held, line } = this.keys
    const sentAt = this.#clock.now()
    const endQuestion = this.#inbox.ask()
    try {
      const args = [...head, ...ending, ...extending, ...wanting]
      const reply = await this.#guard(() => this.#connection.run(slots, [held, line], args))
      const numbers = asList(reply, 3 + wanting.length).map(Number)
      for (const [i, token] of wanting.entries()) this.#note(token, numbers[3 + i] as number, sentAt)
      this.noteFigures(numbers)
      let next = 3
      for (const { what, resolve } of batch) resolve(what === 'want' ? (numbers[next++] as number) : HELD)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      endQuestion()
    }
  }

  /** Those in line look: the first for all, as long as they can be told. */
  async #look(): Promise<void> {
    const first = [...this.#places.keys()].slice(0, this.#inbox.ready ? 1 : this.#max)
    try {
      const states = await Promise.all(first.map((token) => this.#want(token)))
      if (!this.#inbox.ready) return
      // Nobody was told of a slot, or the line is not the one that we joined: others may have missed the same.
      if (states[0] === HELD) await this.#look()
      else if (states[0] === LINED_UP_ANEW) this.#lookForAll()
    } catch (error) {
      this.#orReport(error)
      for (const { turn } of [...this.#places.values()]) turn('away')
    }
  }

  /** Messages may have been missed. */
  #lookForAll(): void {
    for (const token of [...this.#places.keys()]) this.#want(token).catch(() => {}) // the timer looks, too
  }

  #watch(): void {
    this.#orders.add({ what: 'look', token: '', resolve: () => {}, reject: this.#orReport })
  }

  #extend(): void {
    this.#keptAt = this.#clock.now()
    for (const token of this.#held) {
      this.#orders.add({ what: 'extend', token, resolve: () => {}, reject: this.#orReport })
    }
  }

  get #extendAt(): number {
    return this.#held.size === 0 ? Infinity : this.#keptAt + this.#ttl * KEEP_AFTER
  }

  /** A timer that is set too early is left alone: it finds nothing to do and goes on. */
  #schedule(): void {
    const looks = this.#places.size > 0 || this.#watching > 0
    const at = Math.min(this.#extendAt, looks ? this.#lookAt : Infinity)
    if (at >= this.#timerAt && at !== Infinity) return
    this.#timer?.cancel()
    this.#timerAt = at
    if (at === Infinity) return
    this.#timer = this.#clock.setTimeout(() => this.#wake(), at - this.#clock.now(), { keepAlive: false })
  }

  #wake(): void {
    this.#timerAt = Infinity
    const now = this.#clock.now()
    if (now >= this.#extendAt) this.#extend()
    if (now >= this.#lookAt) {
      this.#lookAt = Infinity // until the answer says when
      if (this.#places.size > 0) void this.#look()
      else if (this.#watching > 0) this.#watch()
    }
    this.#schedule()
  }
}
