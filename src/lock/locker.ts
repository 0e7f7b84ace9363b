import { onAbort, reasonOf, throwIfAborted } from '../abort.ts'
import { checkFunction, checkKey, checkObject, checkSignal } from '../check.ts'
import { type Clock, systemClock } from '../clock.ts'
import { lockChannel, lockEndedChannel } from '../diagnostics.ts'
import { ClosedError, LockNotAcquiredError, LockNotHeldError } from '../errors.ts'
import { type Random, systemRandom } from '../random.ts'
import type { ClientPort } from '../redis/client-port.ts'
import { listPorts } from '../redis/clients/port-of.ts'
import { Connection } from '../redis/connection.ts'
import { Inbox } from '../redis/inbox.ts'
import { abandonable } from './abandonable.ts'
import { Acquisition } from './acquisition.ts'
import { Agenda } from './agenda.ts'
import { type Acquired, HeldLock, type LockHost } from './held-lock.ts'
import { Instance } from './instance.ts'
import type { Lock } from './lock.ts'
import {
  type AcquireOptions,
  type LockerOptions,
  resolveAcquireOptions,
  resolveCommandTimeout,
  resolveRedactKey,
  resolveTtl,
  resolveYieldAfter,
} from './options.ts'
import { createToken } from './token.ts'
import { traceAcquisition, traceEnd } from './trace-lock.ts'
import { validityEnd } from './validity.ts'
import { WaitingRoom } from './waiting-room.ts'

/** What the cache shares with its locker, and tests replace. @internal */
export interface LockerParts {
  readonly clock?: Clock
  readonly random?: Random
  /** In place of those that the locker would make of its clients; all inboxes under one id. Closing them is the caller's. */
  readonly instances?: readonly Instance[]
}

/**
 * Locks that are held in one Redis or in several at once.
 *
 * Not for correctness: a lock of this kind can be lost without its holder noticing in time. It saves work that had
 * better not be done twice.
 */
export class Locker {
  readonly #host: LockHost
  readonly #rooms: readonly WaitingRoom[]
  readonly #random: Random
  readonly #redactKey: (key: string) => string
  readonly #inboxId: string
  /** Inboxes that this locker made, and closes. */
  readonly #ownInboxes: readonly Inbox[]
  readonly #background = new Set<Promise<void>>()
  #closing: Promise<void> | undefined

  /** Throws `TypeError` or `RangeError` that names the option at fault: no client, a client named twice, … */
  constructor(options: LockerOptions)
  /** @internal */
  constructor(options: LockerOptions, parts: LockerParts)
  constructor(options: LockerOptions, parts: LockerParts = {}) {
    checkObject('options', options, 'an object with clients')
    const { clock = systemClock, random = systemRandom } = parts
    const commandTimeout = resolveCommandTimeout(options.commandTimeout)
    const yieldAfter = resolveYieldAfter(options.yieldAfter)
    const make = (): Instance[] =>
      createInstances(listPorts('clients', options.clients), { commandTimeout, yieldAfter }, clock, random)
    const instances = parts.instances ?? make()
    this.#random = random
    this.#redactKey = resolveRedactKey(options.redactKey)
    this.#inboxId = (instances[0] as Instance).inbox.id
    this.#ownInboxes = parts.instances === undefined ? instances.map(({ inbox }) => inbox) : []
    this.#rooms = instances.map(({ inbox }) => new WaitingRoom(inbox, clock, random))
    this.#host = {
      instances,
      clock,
      agenda: new Agenda(clock),
      watched: new Set(),
      inBackground: (work) => {
        this.#background.add(work)
        void work.finally(() => this.#background.delete(work))
      },
    }
  }

  /**
   * Loads the scripts into every instance, so that their sources need not be sent later. Optional: every operation
   * survives the scripts being unknown. Rejects with Redis's error, also where the user may not run scripts.
   */
  async prepare(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#assertOpen()
    checkSignal(options.signal)
    throwIfAborted(options.signal)
    const work = Promise.all(this.#host.instances.map((instance) => instance.prepare()))
    await abandonable(options.signal, work, () => {})
  }

  /**
   * One attempt to take the lock of `key` for `ttl` ms. Rejects with `LockNotAcquiredError` when it is held elsewhere,
   * with Redis's error or a `RedisTimeoutError` when an instance fails, with `signal.reason` when `signal` aborts. In
   * every such case all instances are released again.
   */
  tryAcquire(key: string, ttl: number, options?: AcquireOptions): Promise<Lock> {
    if (!lockChannel.hasSubscribers) return this.#tryAcquire(key, ttl, options)
    return traceAcquisition(this.#redactKey(key), false, () => this.#tryAcquire(key, ttl, options))
  }

  async #tryAcquire(key: string, ttl: number, options?: AcquireOptions): Promise<Lock> {
    const { acquisition, signal, autoExtend } = this.#begin(key, ttl, options, undefined)
    return abandonable(signal, this.#tryOnce(acquisition, key, autoExtend), giveBack)
  }

  /**
   * Waits until the lock of `key` can be taken for `ttl` ms. Waiters get it in the order in which they came.
   *
   * It is critical that the caller bounds the waiting by a `signal`: without one, and with the lock never released, the
   * promise never settles. Rejects with `signal.reason`, with Redis's error or a `RedisTimeoutError` when an instance
   * fails, with `ClosedError` when the locker is closed, and leaves nothing behind then.
   */
  acquire(key: string, ttl: number, options?: AcquireOptions): Promise<Lock> {
    if (!lockChannel.hasSubscribers) return this.#acquire(key, ttl, options)
    return traceAcquisition(this.#redactKey(key), true, () => this.#acquire(key, ttl, options))
  }

  async #acquire(key: string, ttl: number, options?: AcquireOptions): Promise<Lock> {
    const { acquisition, signal, autoExtend } = this.#begin(key, ttl, options, this.#rooms)
    return abandonable(signal, this.#waitInLine(acquisition, signal, autoExtend), giveBack)
  }

  /**
   * `acquire`, then `fn`, then `release`, whatever `fn` comes to. Rejects with what `fn` threw; else with what
   * `release` has to say, `LockNotHeldError` when the lock was lost before `fn` ended.
   */
  async withLock<T>(
    key: string,
    ttl: number,
    fn: (lock: Lock) => T | Promise<T>,
    options?: AcquireOptions,
  ): Promise<Awaited<T>> {
    checkFunction('fn', fn)
    const lock = await this.acquire(key, ttl, options)
    let result: Awaited<T>
    try {
      result = await fn(lock)
    } catch (error) {
      await lock[Symbol.asyncDispose]().catch(() => {})
      throw error
    }
    await lock[Symbol.asyncDispose]()
    return result
  }

  /**
   * Ends all waiting with `ClosedError`, and all keeping of locks: those with `autoExtend`, and those whose `signal`
   * somebody has, count as lost. Locks that are held stay in Redis until they are released, which goes on working, or
   * until their ttl runs out. Resolves when nothing more will be sent; the clients are left open.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#end())
  }

  /** A new token, under which the lock may be taken by others' means and then adopted. @internal */
  createToken(): string {
    return createToken(this.#inboxId, this.#random)
  }

  /** The lock that `token` holds since a command sent at `takenAt`, on the local clock, for `ttl` ms. @internal */
  adopt(taken: { key: string; token: string; ttl: number; takenAt: number; autoExtend?: boolean }): HeldLock {
    const { key, token, ttl, takenAt, autoExtend = false } = taken
    const lock = new HeldLock(this.#host, { key, token, ttl, validUntil: validityEnd(takenAt, ttl) })
    if (autoExtend) lock.keepExtending()
    return lock
  }

  #begin(key: string, ttl: number, options: AcquireOptions | undefined, rooms: readonly WaitingRoom[] | undefined) {
    this.#assertOpen()
    checkKey(key)
    const { signal, fencing = false, autoExtend = false } = resolveAcquireOptions(options)
    const wanted = { key, token: this.createToken(), ttl: resolveTtl(ttl), fencing }
    throwIfAborted(signal)
    return { acquisition: new Acquisition(this.#host, wanted, rooms), signal, autoExtend }
  }

  async #tryOnce(acquisition: Acquisition, key: string, autoExtend: boolean): Promise<HeldLock> {
    try {
      if ((await acquisition.attempt()) === undefined) return this.#hold(acquisition.acquired(), autoExtend)
    } catch (error) {
      await acquisition.abandon(error)
      throw error
    }
    throw new LockNotAcquiredError(key)
  }

  async #waitInLine(acquisition: Acquisition, signal: AbortSignal | undefined, autoExtend: boolean): Promise<HeldLock> {
    const stop = signal && onAbort(signal, () => acquisition.place?.fail(reasonOf(signal) as Error))
    try {
      for (;;) {
        const refusal = await acquisition.attempt()
        throwIfAborted(signal)
        if (refusal === undefined) return this.#hold(acquisition.acquired(), autoExtend)
        const granted = await acquisition.turn(refusal)
        const lock = granted && (await this.#confirmed(granted))
        if (lock === undefined) continue
        acquisition.assertInTime(lock.validUntil)
        return this.#keep(lock, autoExtend)
      }
    } catch (error) {
      await acquisition.abandon(error)
      throw error
    } finally {
      stop?.()
      acquisition.leave()
    }
  }

  /** A lock that was handed over for a moment, once nothing can keep it from lasting its ttl; undefined: too late. */
  async #confirmed(granted: Acquired): Promise<HeldLock | undefined> {
    const lock = new HeldLock(this.#host, granted)
    try {
      await lock.confirm()
      return lock
    } catch (error) {
      lock.forget()
      if (error instanceof LockNotHeldError) return undefined
      throw error
    }
  }

  #hold(acquired: Acquired, autoExtend: boolean): HeldLock {
    return this.#keep(new HeldLock(this.#host, acquired), autoExtend)
  }

  #keep(lock: HeldLock, autoExtend: boolean): HeldLock {
    this.#assertOpen()
    if (autoExtend) lock.keepExtending()
    if (lockEndedChannel.hasSubscribers) traceEnd(lock, this.#redactKey(lock.key), this.#host.clock)
    return lock
  }

  async #end(): Promise<void> {
    const emptied = this.#rooms.map((room) => room.close(new ClosedError('locker')))
    for (const lock of this.#host.watched) lock.lose('its locker was closed')
    for (const inbox of this.#ownInboxes) inbox.close()
    await Promise.all([...emptied, ...this.#background])
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError('locker')
  }
}

function createInstances(
  clients: readonly ClientPort[],
  { commandTimeout, yieldAfter }: { commandTimeout: number; yieldAfter: number },
  clock: Clock,
  random: Random,
): Instance[] {
  const inboxId = random.token()
  return clients.map((client) => {
    const connection = new Connection(client, clock, commandTimeout)
    return new Instance(connection, new Inbox(connection, clock, random, { id: inboxId }), yieldAfter)
  })
}

/** Releases a lock that came too late for whoever wanted it. */
function giveBack(lock: HeldLock): void {
  lock.release().catch(() => {})
}
