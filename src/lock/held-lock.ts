import type { Clock } from '../clock.ts'
import { LockLostError, LockNotHeldError } from '../errors.ts'
import type { Agenda, Appointment } from './agenda.ts'
import type { Instance } from './instance.ts'
import type { Lock } from './lock.ts'
import { resolveTtl } from './options.ts'
import { releaseEverywhere } from './release.ts'

/** Clocks of different hosts may run apart by this share of the time they measure (NTP slews by 0.0005). */
const DRIFT = 0.001
/** A lock that extends itself does so when this share of its time is left; after a failure, of the time then left. */
const EXTEND_AT = 2 / 3
/** But after a failure not before this share of its ttl has gone by. */
const LEAST_PAUSE = 1 / 20
/** ms for which a lock that was handed over may be held before its ttl is set. */
const CONFIRM_AFTER = 1

/** The local instant until which a lock surely lasts whose `ttl` was set by a command sent at `sentAt`. */
export function validityEnd(sentAt: number, ttl: number): number {
  return sentAt + ttl * (1 - DRIFT)
}

/** What a `HeldLock` needs of its locker. */
export interface Keeper {
  readonly instances: readonly Instance[]
  readonly clock: Clock
  readonly agenda: Agenda
  /** Locks to be told of the locker's end: those that have an appointment. */
  readonly watched: Set<HeldLock>
  /** Work that nobody waits for but the locker's end; it never rejects. */
  inBackground(work: Promise<void>): void
}

export interface Acquired {
  readonly key: string
  readonly token: string
  readonly ttl: number
  /** Local instant until which it surely is ours. */
  readonly validUntil: number
  readonly fencingToken?: number | undefined
}

export class HeldLock implements Lock {
  readonly key: string
  readonly token: string
  declare readonly fencingToken?: number
  readonly #keeper: Keeper
  #ttl: number
  /** On the local monotonic clock. Moves with every extension. */
  #validUntil: number
  /** `lost` by what Redis or the clock said, whichever was first. Neither is ever left but for `released`. */
  #state: 'held' | 'lost' | 'released' = 'held'
  /** Made when somebody asks for the signal: most locks are released before anyone does. */
  #controller: AbortController | undefined
  #lostError: LockLostError | undefined
  #appointment: Appointment | undefined
  #autoExtend = false
  /** The next extension, Infinity when none is due. */
  #extendAt = Infinity
  #extending = false
  /** Set at most once, by who watches; called once. */
  #onEnd: ((outcome: 'released' | 'lost', reason?: LockLostError) => void) | undefined

  constructor(keeper: Keeper, acquired: Acquired) {
    this.#keeper = keeper
    this.key = acquired.key
    this.token = acquired.token
    if (acquired.fencingToken !== undefined) this.fencingToken = acquired.fencingToken
    this.#ttl = acquired.ttl
    this.#validUntil = acquired.validUntil
  }

  /** Local instant until which the lock surely is held, unless it is lost earlier. */
  get validUntil(): number {
    return this.#validUntil
  }

  /** Whether by our clock it may have lapsed by itself. */
  get hasRunOut(): boolean {
    return this.#keeper.clock.now() >= this.#validUntil
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#keeper.clock.now() >= this.#validUntil) this.lose('its time ran out')
      if (this.#state === 'held') this.#meet()
      if (this.#lostError !== undefined) this.#controller.abort(this.#lostError)
    }
    return this.#controller.signal
  }

  async release(): Promise<void> {
    if (this.#state === 'released') throw new LockNotHeldError(this.key)
    const before = this.#state
    this.#end('released')
    try {
      await releaseEverywhere(this.#keeper.instances, this.key, this.token)
      this.#tellEnd('released')
    } catch (error) {
      if (error instanceof LockNotHeldError) this.#tellEnd('lost')
      else this.#state = before // may be tried again
      if (this.#state === 'held' && this.#controller !== undefined) this.#meet()
      throw error
    }
  }

  async extend(ttl: number): Promise<void> {
    const newTtl = resolveTtl(ttl)
    const sentAt = this.#keeper.clock.now()
    if (sentAt >= this.#validUntil) this.lose('its time ran out')
    if (this.#state !== 'held') throw new LockNotHeldError(this.key)
    // Whatever becomes of the answer, Redis may have shortened the time already.
    const validUntil = validityEnd(sentAt, newTtl)
    this.#validUntil = Math.min(this.#validUntil, validUntil)
    this.#meetAgain()
    for (const instance of this.#keeper.instances) {
      if (await instance.extend(this.key, this.token, newTtl)) continue
      this.lose('it expired, was deleted, or was taken by another holder')
      throw new LockNotHeldError(this.key)
    }
    if (this.#state !== 'held') throw new LockNotHeldError(this.key)
    this.#ttl = newTtl
    this.#validUntil = validUntil
    this.#meetAgain()
  }

  async ttl(): Promise<number> {
    const { instances } = this.#keeper
    const remaining = await Promise.all(instances.map((instance) => instance.remaining(this.key, this.token)))
    return Math.min(...remaining)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== 'released') await this.release()
  }

  /** From now on the lock is extended until it is released or lost. */
  keepExtending(): void {
    this.#autoExtend = true
    if (!this.#extending && this.#extendAt === Infinity) this.#scheduleExtension()
  }

  /**
   * Sets the whole ttl of a lock that was handed over for a moment; tried again while that lasts. A lock that is
   * released at once needs no such command, which would delay the next hand-off by as much as the release itself. A
   * holder that meanwhile blocks the event loop for longer than the grant loses the lock.
   */
  confirm(): void {
    // Setting a timer takes longer than all the rest of waking up: the new holder goes first.
    this.#keeper.clock.setImmediate(() => {
      if (this.#state !== 'held') return
      this.#extendAt = this.#keeper.clock.now() + CONFIRM_AFTER
      this.#meet()
    })
  }

  /** The lock is lost, for the reason named; nothing revives it. */
  lose(why: string, options?: ErrorOptions): void {
    if (this.#state !== 'held') return
    this.#end('lost')
    this.#lostError = new LockLostError(this.key, why, options)
    this.#controller?.abort(this.#lostError)
    this.#tellEnd('lost')
  }

  /** `callback` is told how the lock ended, once that is known. */
  onEnd(callback: (outcome: 'released' | 'lost', reason?: LockLostError) => void): void {
    this.#onEnd = callback
  }

  #tellEnd(outcome: 'released' | 'lost'): void {
    this.#onEnd?.(outcome, this.#lostError)
    this.#onEnd = undefined
  }

  /** Ends the keeping of a lock that is released by others' means. */
  forget(): void {
    this.#end('released')
  }

  #end(state: 'lost' | 'released'): void {
    this.#state = state
    this.#appointment?.cancel()
    this.#appointment = undefined
    this.#keeper.watched.delete(this)
  }

  /** Sees to it that the end of validity, or the next extension, is not missed. */
  #meet(): void {
    if (this.#appointment !== undefined) return this.#meetAgain()
    this.#appointment = this.#keeper.agenda.add(Math.min(this.#validUntil, this.#extendAt), () => this.#due())
    this.#keeper.watched.add(this)
  }

  #meetAgain(): void {
    this.#appointment?.moveTo(Math.min(this.#validUntil, this.#extendAt))
  }

  #due(): void {
    const now = this.#keeper.clock.now()
    if (now >= this.#validUntil) return this.lose('its time ran out')
    if (now >= this.#extendAt) {
      this.#extendAt = Infinity
      void this.#extendOnce()
    }
    this.#meetAgain()
  }

  async #extendOnce(): Promise<void> {
    if (this.#state !== 'held') return
    this.#extending = true
    let again: boolean
    try {
      await this.extend(this.#ttl)
      again = this.#autoExtend
    } catch (error) {
      // Redis did not answer, or refused: there may be time to try again. The end of validity is watched all the same.
      again = !(error instanceof LockNotHeldError)
    }
    this.#extending = false
    if (again && this.#state === 'held') this.#scheduleExtension()
  }

  #scheduleExtension(): void {
    const now = this.#keeper.clock.now()
    this.#extendAt = now + Math.max((this.#validUntil - now) * (1 - EXTEND_AT), this.#ttl * LEAST_PAUSE)
    this.#meet()
  }
}
