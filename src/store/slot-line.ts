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
import { EVERY_PART, partChannel, type Broadcast } from './broadcast.ts'
import type { Guard } from '../redis/breaker.ts'

/** How a wait in line ends: the slot is ours; Redis does not answer; or the holder of a slot waits for us and lends it. */
export type Turn = 'held' | 'away' | 'lent'
/** What a token has. */
export type SlotState = 'held' | 'in-line'

/** Slots are extended after this share of their time. */
const KEEP_AFTER = 1 / 3
/** Waiters in line look this many ms after a slot should have ended, plus up to JITTER more at random. */
const AFTER_END = 5
const JITTER = 40
/** ms between looks while no messages can come, because the inbox is not open. */
const POLL = 100
/** About so many loads count in their mean time. */
const LOADS_AVERAGED = 8
/** Tokens in one call of the script. */
const LARGEST_BATCH = 500

/** The states of a token in replies of the scripts. */
const HELD = 1
const LINED_UP_ANEW = 2
const NO_PLACE = 3
/** Payload of a message: a load that waits for this one lends its slot. A slot that is handed on comes without payload. */
const LENT = 'lent'

/** What to do with one token. */
interface Order {
  /** `look`: without a token; only takes back slots whose time is over. */
  readonly what: 'end' | 'extend' | 'want' | 'look'
  readonly token: string
  resolve(state: number): void
  reject(error: unknown): void
}

/** A waiter in line. */
class Place {
  readonly turned: Promise<Turn>
  /** Only the first call counts. */
  turn!: (how: Turn) => void
  stopListening: () => void = () => {}

  constructor() {
    this.turned = new Promise((resolve) => (this.turn = resolve))
  }
}

/** The state of the slots in Redis, by its last reply. */
export interface SlotFigures {
  /** Slots held and tokens in line, of all processes. */
  readonly held: number
  readonly inLine: number
}

/**
 * What this process has of the slots in one Redis: the slots it holds, which one command keeps alive however many they are,
 * and its places in line. A message hands a slot on. A timer looks when a slot may have ended without a message.
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
  /** Tokens that want or have a slot. A slot or place of any other token is ended at once. */
  readonly #wanted = new Set<string>()
  /** Those of them that came with a lease, and that no load has taken up yet. */
  readonly #unclaimed = new Set<string>()
  readonly #held = new Set<string>()
  /** Token → its place, in the order of arrival. */
  readonly #places = new Map<string, Place>()
  readonly #stopWatching: () => void
  /** What was given back and is not acknowledged yet. */
  readonly #ending = new Set<Promise<unknown>>()
  /** Local time at which all held slots were extended, or the first one was taken. */
  #keptAt = 0
  /** Number of waits in this process for loads of others, which may stand in line. */
  #watching = 0
  /** Local time at which waiters in line and watchers look. */
  #lookAt = Infinity
  #timer: Timer | undefined
  /** When the timer fires. Infinity if it is not set. */
  #timerAt = Infinity
  figures: SlotFigures = { held: 0, inLine: 0 }
  /** ms that a load takes, a moving average; 0 if nothing is known. */
  #loadTime = 0

  /** `maxLoads`: slots that all processes may hold at once. `lost`: the message that a process is gone. */
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
    const parted = partChannel(this.#connection, channel, EVERY_PART)
    return [this.#max, countsSubscribers(this.#connection), this.#connection.channel(channel), parted, message]
  }

  /** ms until all loads that stand in line have begun, as far as this process knows. */
  get lineLasts(): number {
    return (this.figures.inLine * this.#loadTime) / this.#max
  }

  /** A load has taken that many ms, here or elsewhere. */
  noteLoadTime(ms: number): void {
    this.#loadTime += (ms - this.#loadTime) / LOADS_AVERAGED
  }

  /** Takes up what a claim has got for the token. `undefined`: nothing. */
  takeUp(token: string): SlotState | undefined {
    this.#unclaimed.delete(token)
    return this.#stateOf(token)
  }

  #stateOf(token: string): SlotState | undefined {
    if (this.#held.has(token)) return 'held'
    return this.#places.has(token) ? 'in-line' : undefined
  }

  /** Notes the answer to a claim, sent at `sentAt`, that asked for a slot under that token. */
  noteClaimed(token: string, state: number, sentAt: number): void {
    this.#wanted.add(token)
    this.#unclaimed.add(token)
    this.#note(token, state, sentAt)
  }

  /** The lease of the token has ended: if no load has taken up its slot, the slot goes to others. */
  drop(token: string): void {
    if (this.#unclaimed.has(token)) this.leave(token)
  }

  #note(token: string, state: number, sentAt: number): void {
    if (!this.#wanted.has(token)) this.#end(token)
    else if (state === HELD) this.#hold(token)
    else this.#lineUp(token, sentAt)
    // It could not stand in line then, because no message could have reached it.
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

  /** Watches the slots, which show whether the process that loads is gone, until the returned function is called. */
  watch(): () => void {
    this.#watching++
    this.#schedule()
    return () => void this.#watching--
  }

  /** Asks for a slot. Resolves with what the token then has, or with `away` if Redis does not answer. */
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

  /** Resolves when the wait of a token in line ends. */
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

  /** A request that failed here may still be carried out in Redis. On the same connection, the end comes after it. */
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

  /** Tells the holder of a lease that a load with a slot waits for it, so it need not wait in line. */
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

  /** Resolves when everything is given back. */
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

  /** `since`: a message that came after that may have overtaken the reply that says to wait. */
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
    const extending = tokens('extend').filter((token) => this.#held.has(token)) // others have ended meanwhile
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

  /** Waiters in line look: as long as messages can come, only the first, for all of them. */
  async #look(): Promise<void> {
    const first = [...this.#places.keys()].slice(0, this.#inbox.ready ? 1 : this.#max)
    try {
      const states = await Promise.all(first.map((token) => this.#want(token)))
      if (!this.#inbox.ready) return
      // A slot came without a message, or the line is not the one that we joined: others may have missed the same.
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

  /** Leaves a timer that is set too early: it finds nothing to do and goes on. */
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
