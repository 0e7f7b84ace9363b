import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '../../clock.ts'
import { OverloadedError } from '../../errors.ts'
import type { SlotLine, Turn } from '../../store/slot-line.ts'
import type { LimitStats } from '../watch/stats.ts'
import { LocalSlots } from './local-slots.ts'
import { Queueing, type CutShort, type NoSlot } from './queueing.ts'
import { Slot } from './slot.ts'

/** A load that wants a slot. */
export interface Wanting {
  /** The flight that it is for. Absent if only its caller waits for it. A loader that waits for a flight lends its slot. */
  readonly flight?: object
  /** The token of its lease, with which the claim may have asked already. Absent: it has no lease. */
  readonly token?: string | undefined
  /** Whether Redis does not take part. */
  readonly isLocal: boolean
  /** Stands for all loads that one loader makes: together they need one slot. Absent: the loader makes only this one. */
  readonly together?: object | undefined
  /** Local time until which it may wait. */
  readonly until: number
  /** Called when it has to wait. */
  onWait?(): void
}

/**
 * Limits how many loads of a cache run at once: over all processes by slots in Redis, or in this process alone if there is
 * no Redis or it does not answer. With several instances, a slot must be held in all; like leases, slots are taken in order.
 */
export class LoadLimit {
  readonly #max: number
  readonly #lines: readonly SlotLine[]
  readonly #local: LocalSlots
  readonly #clock: Clock
  readonly #makeToken: () => string
  readonly #waitTimeout: number
  readonly #meanLoadTime: () => number
  /** The slot of the loader of this cache that called the current code. */
  readonly #inside = new AsyncLocalStorage<Slot>()
  /** Flight → the slot of a loader that waits for it. */
  readonly #lent = new WeakMap<object, Slot>()
  /** Flight → what to call when a slot is lent to it. */
  readonly #onLent = new Map<object, (slot: Slot) => void>()
  readonly #together = new WeakMap<object, Queueing>()
  readonly #slotOfAll = new WeakMap<object, Slot>()
  #waiting = 0
  /** How many loads got no slot in time. Never decreases. */
  #refused = 0

  /** `lines`: one for each Redis, in order. `makeToken`: for loads without a lease. `meanLoadTime`: ms, as far as known. */
  constructor(
    { maxLoads, waitTimeout }: { maxLoads: number; waitTimeout: number },
    lines: readonly SlotLine[],
    clock: Clock,
    makeToken: () => string,
    meanLoadTime: () => number,
  ) {
    this.#max = maxLoads
    this.#waitTimeout = waitTimeout
    this.#lines = lines
    this.#local = new LocalSlots(maxLoads)
    this.#clock = clock
    this.#makeToken = makeToken
    this.#meanLoadTime = meanLoadTime
  }

  get stats(): LimitStats {
    return { maxLoads: this.#max, running: this.#local.running, waiting: this.#waiting, refused: this.#refused }
  }

  /** The error of a load for which no slot became free in time. */
  refusal(key: string): OverloadedError {
    this.#refused++
    return new OverloadedError(key, this.#max, this.#retryAfter())
  }

  /** Seconds after which the line is probably gone: nobody stands in it for longer than `waitTimeout`. */
  #retryAfter(): number {
    const inLine = Math.max(this.#local.inLine, ...this.#lines.map(({ figures }) => figures.inLine))
    const ms = Math.min((inLine * this.#meanLoadTime()) / this.#max, this.#waitTimeout)
    return Math.max(Math.ceil(ms / 1000), 1)
  }

  /** A load has taken that many ms, here or elsewhere. */
  noteLoadTime(ms: number): void {
    for (const line of this.#lines) line.noteLoadTime(ms)
  }

  /** Whether no slot is free, as far as this process knows. */
  get isFull(): boolean {
    return this.#local.running >= this.#max || this.#lines.some(({ figures }) => figures.held >= this.#max)
  }

  /** Whether loads stand in line, as far as this process knows. */
  get isQueued(): boolean {
    return this.isFull && this.#lines.some(({ figures }) => figures.inLine > 0)
  }

  /** Whether this is called by a loader that has a slot. */
  get isInLoader(): boolean {
    return this.#current !== undefined
  }

  /** The slot of the loader that called this, if it was called by one that still has its slot. */
  get #current(): Slot | undefined {
    if (this.#local.running === 0) return undefined
    const slot = this.#inside.getStore()
    return slot?.hasEnded === false ? slot : undefined
  }

  /** The calling code waits for `flight`. If it is a loader, the flight may load in its slot. */
  noteWaiter(flight: object): void {
    const slot = this.#current
    if (slot === undefined || this.isLent(flight)) return
    this.#lent.set(flight, slot)
    this.#onLent.get(flight)?.(slot)
  }

  /** Whether a loader that has a slot waits for the flight. */
  isLent(flight: object): boolean {
    return this.#lent.get(flight)?.hasEnded === false
  }

  /** Until the returned function is called, a slot lent to this flight is lent on to the holder of that lease. */
  lendOn(flight: object, holder: string): () => void {
    const lend = (): void => this.#lines.forEach((line) => line.lend(holder))
    if (this.isLent(flight)) lend()
    else this.#onLent.set(flight, lend)
    return () => this.#onLent.delete(flight)
  }

  /** The slot that a token has or would get goes to others. */
  leave(token: string): void {
    for (const line of this.#lines) line.leave(token)
  }

  /**
   * A slot, in which the caller must `run` or which it must `leave`, or why there is none. `onStop` gets a function that
   * stops the wait. Never rejects.
   */
  async slotFor(wanting: Wanting, onStop: (stop: () => void) => void): Promise<Slot | NoSlot> {
    const { flight, token, together } = wanting
    const lent = flight === undefined ? this.#current : this.#lent.get(flight)
    if (lent?.hasEnded === false) {
      if (token !== undefined) this.leave(token)
      return together === undefined ? lent.share() : this.#forAll(together, lent.share())
    }
    const queueing = this.#queueingFor(wanting)
    if (flight !== undefined) this.#onLent.set(flight, queueing.cut)
    // The slot of a batch has its own token, but others know only the token of the lease.
    const tellsLoans = together !== undefined && token !== undefined
    const stops = tellsLoans ? this.#lines.map((line) => line.onLent(token, () => queueing.cut('lent'))) : []
    const slot = await queueing.enter(onStop)
    for (const stop of stops) stop()
    if (flight !== undefined) this.#onLent.delete(flight)
    return together === undefined ? slot : this.#forAll(together, slot)
  }

  #forAll(together: object, slot: Slot | NoSlot): Slot | NoSlot {
    if (typeof slot !== 'string') this.#slotOfAll.set(together, slot)
    return slot
  }

  /** Runs the one loader of all those loads. */
  runTogether<T>(together: object, load: () => Promise<T>): Promise<T> {
    const slot = this.#slotOfAll.get(together)
    return slot === undefined ? load() : this.#inside.run(slot, load)
  }

  #queueingFor(wanting: Wanting): Queueing {
    const { together, until } = wanting
    const known = together && this.#together.get(together)
    if (known?.isJoinable) return known
    const queueing = new Queueing(this.#clock, until, (its) => this.#queue(wanting, its))
    if (together !== undefined) this.#together.set(together, queueing)
    return queueing
  }

  async #queue(wanting: Wanting, queueing: Queueing): Promise<Slot | NoSlot> {
    const token = (wanting.together === undefined ? wanting.token : undefined) ?? this.#makeToken()
    const isInRedis = !wanting.isLocal && this.#lines.length > 0
    let how = isInRedis ? await this.#queueInRedis(token, wanting, queueing) : 'away'
    if (how === 'held') return this.#begun(() => this.leave(token))
    if (how === 'away') how = await this.#queueHere(wanting, queueing)
    return how === 'lent' ? this.#begun(() => {}) : how
  }

  async #queueInRedis(token: string, wanting: Wanting, queueing: Queueing): Promise<Turn | CutShort> {
    for (const line of this.#lines) {
      let how: Turn | CutShort | 'in-line' = line.takeUp(token) ?? (await line.take(token))
      if (how === 'in-line') {
        how = await this.#wait(line.turnOf(token), wanting, queueing)
      }
      if (how === 'held' && !queueing.isCutShort) continue
      this.leave(token)
      return queueing.isCutShort ? queueing.cutShort : how
    }
    return 'held'
  }

  async #queueHere(wanting: Wanting, queueing: Queueing): Promise<CutShort> {
    if (!this.#local.tryBegin()) {
      const { begun, leave } = this.#local.wait()
      const cut = await this.#wait(begun, wanting, queueing)
      if (cut !== undefined) {
        leave()
        return cut
      }
    }
    return this.#slot(() => {})
  }

  async #wait<T>(turn: Promise<T>, wanting: Wanting, queueing: Queueing): Promise<T | CutShort> {
    queueing.begin()
    wanting.onWait?.()
    this.#waiting++
    const how = await Promise.race([turn, queueing.cutShort])
    this.#waiting--
    return how
  }

  /** A slot granted from outside this process's own limit. */
  #begun(giveBack: () => void): Slot {
    this.#local.begin()
    return this.#slot(giveBack)
  }

  #slot(giveBack: () => void): Slot {
    return new Slot(this.#inside, () => {
      this.#local.end()
      // On Node 20 a storage in use makes every promise of the process several times as costly.
      if (this.#local.running === 0) this.#inside.disable()
      giveBack()
    })
  }

  /** Resolves when everything held has been given back. */
  async close(): Promise<void> {
    await Promise.all(this.#lines.map((line) => line.close()))
  }
}
