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
  /** Instances to use instead of new ones for the clients. All their inboxes have one id. The caller closes them. */
  readonly instances?: readonly Instance[]
}

/**
 * Locks that are held in one Redis or in several at once.
 *
 * Not for correctness: such a lock can be lost without its holder noticing in time. It avoids work that should not be
 * done twice.
 */
export class Locker {
  readonly #host: LockHost
  readonly #rooms: readonly WaitingRoom[]
  readonly #random: Random
  readonly #redactKey: (key: string) => string
  readonly #inboxId: string
  /** The inboxes that this locker made. It closes them. */
  readonly #ownInboxes: readonly Inbox[]
  readonly #background = new Set<Promise<void>>()
  #closing: Promise<void> | undefined

  /** Throws a `TypeError` or `RangeError` that names the invalid option: no client, the same client twice, … */
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
   * Loads the scripts into every instance, so that their source need not be sent later. Optional: every operation also
   * works while Redis does not know the scripts. Rejects with the error of Redis, for example if the user may not run
   * scripts.
   */
  async prepare(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#assertOpen()
    checkSignal(options.signal)
    throwIfAborted(options.signal)
    const work = Promise.all(this.#host.instances.map((instance) => instance.prepare()))
    await abandonable(options.signal, work, () => {})
  }

  /**
   * Tries once to take the lock of `key` for `ttl` ms. Rejects with `LockNotAcquiredError` when it is held elsewhere,
   * with the error of Redis or a `RedisTimeoutError` when an instance fails, and with `signal.reason` when `signal`
   * aborts. In each of these cases all instances are released again.
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
   * Always limit the wait with a `signal`: without one, the promise never settles if the lock is never released. Rejects
   * with `signal.reason`, with the error of Redis or a `RedisTimeoutError` when an instance fails, and with `ClosedError`
   * when the locker is closed. In each of these cases nothing is left behind.
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
   * Calls `acquire`, then `fn`, then `release`, even if `fn` fails. Rejects with what `fn` threw. Otherwise it rejects
   * with the error of `release`: `LockNotHeldError` if the lock was lost before `fn` ended.
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
   * Ends all waiting with `ClosedError`, and stops extending and watching locks: locks with `autoExtend`, and locks whose
   * `signal` was read, count as lost. Locks that are held stay in Redis until their ttl ends, or until they are released,
   * which still works. Resolves when nothing more will be sent. The clients stay open.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#end())
  }

  /** A new token. Other code may take a lock with it, and then have it adopted. @internal */
  createToken(): string {
    return createToken(this.#inboxId, this.#random)
  }

  /** The lock that `token` holds since a command sent at `takenAt`, on the local clock, for `ttl` ms. @internal */
  adopt({ takenAt, ...taken }: { key: string; token: string; ttl: number; takenAt: number }): HeldLock {
    return new HeldLock(this.#host, { ...taken, validUntil: validityEnd(takenAt, taken.ttl) })
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

  /** A lock that was handed over for a moment, once it is certain to last its whole ttl. `undefined`: too late. */
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

/** Releases a lock that came too late for its caller. */
function giveBack(lock: HeldLock): void {
  lock.release().catch(() => {})
}
