import type { Clock } from '../clock.ts'
import { LockLostError, LockNotHeldError } from '../errors.ts'
import { isErrorReply } from '../redis/client-error.ts'
import { lateReply } from '../redis/connection.ts'
import { asList } from '../redis/reply.ts'
import type { Agenda, Appointment } from './agenda.ts'
import type { Instance } from './instance.ts'
import type { Lock } from './lock.ts'
import { resolveTtl } from './options.ts'
import { releaseEverywhere } from './release.ts'
import { type Extension, Validity } from './validity.ts'

/** A lock extends itself when this share of its time is left; after a failure, this share of the time left at that moment. */
const EXTEND_AT = 2 / 3
/** But after a failure it waits at least this share of its ttl. */
const LEAST_PAUSE = 1 / 20
/** What a `HeldLock` needs from its locker. */
export interface LockHost {
  readonly instances: readonly Instance[]
  readonly clock: Clock
  readonly agenda: Agenda
  /** Locks with an appointment. They are told when the locker ends. */
  readonly watched: Set<HeldLock>
  /** Work that only the locker's end waits for. It never rejects. */
  inBackground(work: Promise<void>): void
}

export interface Acquired {
  readonly key: string
  readonly token: string
  readonly ttl: number
  /** Local time until which it is certainly ours. */
  readonly validUntil: number
  readonly fencingToken?: number | undefined
}

export class HeldLock implements Lock {
  readonly key: string
  readonly token: string
  declare readonly fencingToken?: number
  readonly #host: LockHost
  #ttl: number
  readonly #validity: Validity
  /** `lost`: Redis or the clock said so, whichever came first. It may still become `released`. */
  #state: 'held' | 'lost' | 'released' = 'held'
  /** Created when somebody reads the signal. Most locks are released before that. */
  #controller: AbortController | undefined
  #lostError: LockLostError | undefined
  #appointment: Appointment | undefined
  #autoExtend = false
  /** The time of the next extension; Infinity if none is due. */
  #extendAt = Infinity
  #extending = false
  /** Set while a reply that may have arrived gets the time to be read. */
  #hearing: Promise<void> | undefined
  /** Set at most once, by a watcher; called once. */
  #onEnd: ((outcome: 'released' | 'lost', reason?: LockLostError) => void) | undefined

  constructor(host: LockHost, acquired: Acquired) {
    this.#host = host
    this.key = acquired.key
    this.token = acquired.token
    if (acquired.fencingToken !== undefined) this.fencingToken = acquired.fencingToken
    this.#ttl = acquired.ttl
    this.#validity = new Validity(acquired.validUntil)
  }

  /** Local time until which the lock is certainly held, unless it is lost earlier. */
  get validUntil(): number {
    return this.#validity.end
  }

  /** Whether it may have expired by our clock. */
  get hasRunOut(): boolean {
    return this.#host.clock.now() >= this.validUntil
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#isOver) this.#lapse()
      if (this.#state === 'held') this.#meet()
      if (this.#lostError !== undefined) this.#controller.abort(this.#lostError)
    }
    return this.#controller.signal
  }

  async release(): Promise<void> {
    if (this.#state === 'released') throw new LockNotHeldError(this.key)
    const before = this.#state
    const wasSurelyHeld = before === 'held' && this.#host.clock.now() < this.validUntil
    this.#end('released')
    try {
      await releaseEverywhere(this.#host.instances, this.key, this.token, wasSurelyHeld)
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
    if (this.#isOver) this.#lapse()
    if (this.#hearing !== undefined) await this.#hearing
    await this.#extend(newTtl, 'set')
  }

  async #extend(ttl: number, may: 'set' | 'lengthen'): Promise<void> {
    if (this.#state !== 'held') throw new LockNotHeldError(this.key)
    const extension = this.#send(ttl, may)
    await this.#carriedOut(extension, ttl, (instance) => instance.extend(this.key, this.token, ttl, extension.shortens))
  }

  #send(ttl: number, may: 'set' | 'lengthen'): Extension {
    const extension = this.#validity.send(this.#host.clock.now(), ttl, may)
    this.#meetAgain()
    return extension
  }

  /** Extends on one instance after another, and updates the state. */
  async #carriedOut(
    extension: Extension,
    ttl: number,
    extendOn: (instance: Instance) => Promise<boolean>,
  ): Promise<void> {
    try {
      for (const instance of this.#host.instances) {
        if (await extendOn(instance)) continue
        this.lose('it expired, was deleted, or was taken by another holder')
        throw new LockNotHeldError(this.key)
      }
    } catch (error) {
      this.#validity.failed(extension, fateAfter(error))
      throw error
    }
    if (this.#state !== 'held') throw new LockNotHeldError(this.key)
    if (this.#validity.succeeded(extension)) this.#ttl = ttl
    this.#meetAgain()
  }

  async ttl(): Promise<number> {
    const { instances } = this.#host
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

  /** The same, and the first extension is due. */
  extendFromNow(): void {
    this.#autoExtend = true
    this.#extendAt = this.#host.clock.now()
    this.#meet()
    this.#due()
  }

  /**
   * Sets the whole ttl of a lock that was handed over for a moment. Resolves when the command has left this process, so
   * that a holder that blocks the event loop cannot hold it back, or when it was answered. In the first case it is
   * retried if it fails. Rejects as `extend` does.
   */
  async confirm(): Promise<void> {
    const extension = this.#send(this.#ttl, 'set')
    let hasLeft = (): boolean => false
    const carriedOut = this.#carriedOut(extension, this.#ttl, async (instance) => {
      const sent = instance.extendAtOnce(this.key, this.token, this.#ttl, extension.shortens)
      hasLeft = sent.hasLeft
      return Number(asList(await sent.reply, 1)[0]) === 1
    })
    this.#extending = true
    const ended = this.#afterExtension(carriedOut)
    if (hasLeft()) return
    await Promise.race([carriedOut, this.#nextTurn()]) // what TLS enciphers has left a turn later
    if (hasLeft()) return
    await carriedOut
    await ended
  }

  /** The lock is lost, for the given reason. Nothing revives it. */
  lose(why: string, options?: ErrorOptions): void {
    if (this.#state !== 'held') return
    this.#end('lost')
    this.#lostError = new LockLostError(this.key, why, options)
    this.#controller?.abort(this.#lostError)
    this.#tellEnd('lost')
  }

  /** Calls `callback` with how the lock ended, once that is known. */
  onEnd(callback: (outcome: 'released' | 'lost', reason?: LockLostError) => void): void {
    this.#onEnd = callback
  }

  #tellEnd(outcome: 'released' | 'lost'): void {
    this.#onEnd?.(outcome, this.#lostError)
    this.#onEnd = undefined
  }

  /** Stops keeping a lock that other code releases. */
  forget(): void {
    this.#end('released')
  }

  #end(state: 'lost' | 'released'): void {
    this.#state = state
    this.#appointment?.cancel()
    this.#appointment = undefined
    this.#host.watched.delete(this)
  }

  get #isOver(): boolean {
    return this.#host.clock.now() >= this.validUntil
  }

  /**
   * The time is over: the lock is lost, unless a reply under way makes it last longer. After a blocked event loop, timers
   * run first. Two turns give time to read replies that have arrived.
   */
  #lapse(): void {
    if (!this.#validity.mayOutlast(this.#host.clock.now())) return this.lose('its time ran out')
    this.#hearing ??= this.#hearOut()
  }

  async #hearOut(): Promise<void> {
    await this.#nextTurn()
    await this.#nextTurn()
    this.#hearing = undefined
    if (this.#isOver) this.lose('its time ran out')
    else this.#meetAgain()
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => this.#host.clock.setImmediate(resolve))
  }

  /** Makes sure that the end of validity and the next extension are not missed. */
  #meet(): void {
    if (this.#appointment !== undefined) return this.#meetAgain()
    this.#appointment = this.#host.agenda.add(this.#nextAt, () => this.#due())
    this.#host.watched.add(this)
  }

  #meetAgain(): void {
    if (this.#hearing === undefined) this.#appointment?.moveTo(this.#nextAt)
  }

  get #nextAt(): number {
    return Math.min(this.validUntil, this.#extendAt)
  }

  #due(): void {
    if (this.#isOver) return this.#lapse()
    if (this.#host.clock.now() >= this.#extendAt) {
      this.#extendAt = Infinity
      this.#extending = true
      // An automatic extension never shortens a lock, even if its owner has extended it meanwhile.
      void this.#afterExtension(this.#extend(this.#ttl, 'lengthen'))
    }
    this.#meetAgain()
  }

  /** Keeps extending, if `autoExtend` is set or the extension has failed. */
  async #afterExtension(extended: Promise<void>): Promise<void> {
    let again: boolean
    try {
      await extended
      again = this.#autoExtend
    } catch (error) {
      // Redis did not answer, or refused. There may be time to try again. The end of validity is still watched.
      again = !(error instanceof LockNotHeldError)
    }
    this.#extending = false
    if (again && this.#state === 'held') this.#scheduleExtension()
  }

  #scheduleExtension(): void {
    const now = this.#host.clock.now()
    this.#extendAt = now + Math.max((this.validUntil - now) * (1 - EXTEND_AT), this.#ttl * LEAST_PAUSE)
    this.#meet()
  }
}

/**
 * Settles when it is known that an extension that failed with `error` will not be carried out any more. Absent: that will
 * never be known.
 */
function fateAfter(error: unknown): Promise<unknown> | undefined {
  if (isErrorReply(error)) return Promise.resolve()
  return lateReply(error)
}
