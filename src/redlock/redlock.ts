import { EventEmitter } from 'node:events'
import { checkArray, checkFunction, checkKey, positiveDuration } from '../check.ts'
import { type Clock, systemClock } from '../clock.ts'
import { ClosedError, LockNotAcquiredError, LockNotHeldError, outOfRange } from '../errors.ts'
import { Locker } from '../lock/locker.ts'
import type { HeldLock } from '../lock/held-lock.ts'
import { type Random, systemRandom } from '../random.ts'
import type { RedisClient } from '../redis/clients/port-of.ts'
import { ExecutionError, ResourceLockedError, type ExecutionResult, type ExecutionStats } from './errors.ts'
import { AutoExtension, type RedlockAbortSignal } from './auto-extension.ts'
import { RedlockLock, timeLeft } from './redlock-lock.ts'
import { patienceOf, resolveSettings, type RedlockSettings } from './settings.ts'

/** A routine that runs while it has the lock. */
type Routine<T> = (signal: RedlockAbortSignal) => Promise<T>

/**
 * The interface of redlock 5 on top of `Locker`: the same calls, settings and error names. A lock is held in all
 * instances, not in a majority of them. Callers that wait stand in line and are woken. Emits `error` for each failed
 * attempt, even if a later one succeeds. Nobody needs to listen.
 */
export class Redlock extends EventEmitter {
  readonly clients: ReadonlySet<RedisClient>
  readonly settings: RedlockSettings
  readonly #locker: Locker
  readonly #clock: Clock
  readonly #random: Random

  /** Throws a `TypeError` or `RangeError` that names the problem: no client, a setting out of range. */
  constructor(clients: Iterable<RedisClient>, settings?: Partial<RedlockSettings>)
  /** @internal */
  constructor(
    clients: Iterable<RedisClient>,
    settings: Partial<RedlockSettings> | undefined,
    doors: { clock?: Clock; random?: Random },
  )
  constructor(
    clients: Iterable<RedisClient>,
    settings?: Partial<RedlockSettings>,
    { clock = systemClock, random = systemRandom }: { clock?: Clock; random?: Random } = {},
  ) {
    super()
    this.on('error', () => {}) // else Node would throw where nobody listens
    this.settings = resolveSettings(settings)
    this.clients = new Set(clients)
    this.#locker = new Locker({ clients: [...this.clients] }, { clock, random })
    this.#clock = clock
    this.#random = random
  }

  /**
   * Locks all resources for `duration` ms. They are taken one after another, always in the order of their names, so that
   * two calls never wait for each other. Rejects with `ExecutionError`, and then holds none of them.
   */
  async acquire(
    resources: readonly string[],
    duration: number,
    settings?: Partial<RedlockSettings>,
  ): Promise<RedlockLock> {
    const keys = [...new Set(checkResources(resources))].sort()
    positiveDuration('duration', duration)
    const resolved = resolveSettings(settings, this.settings)
    const { result, attempts } = await this.#execute(resolved, (until) => this.#lockAll(keys, duration, until))
    return this.#made(resources, result, attempts, duration, resolved)
  }

  /** Gives the lock up. Rejects with `ExecutionError` if it was lost, or Redis failed. */
  async release(lock: RedlockLock, settings?: Partial<RedlockSettings>): Promise<ExecutionResult> {
    const resolved = resolveSettings(settings, this.settings)
    lock.expiration = 0
    let left = lock.held
    const { attempts } = await this.#execute(resolved, async () => {
      const ends = await Promise.allSettled(left.map((each) => each.release()))
      const failed = ends.flatMap((end, i) =>
        end.status === 'rejected' ? { lock: left[i] as HeldLock, reason: end.reason as unknown } : [],
      )
      left = failed.filter(({ reason }) => !(reason instanceof LockNotHeldError)).map((each) => each.lock)
      const decisive = failed.find(({ reason }) => !(reason instanceof LockNotHeldError)) ?? failed[0]
      if (decisive !== undefined) throw decisive.reason
    })
    return { attempts }
  }

  /** Sets the time that the lock has left. Rejects with `ExecutionError` if it was lost, or Redis failed. */
  async extend(existing: RedlockLock, duration: number, settings?: Partial<RedlockSettings>): Promise<RedlockLock> {
    positiveDuration('duration', duration)
    const resolved = resolveSettings(settings, this.settings)
    const { resources, held } = existing
    const isOver = existing.expiration === 0 || timeLeft(held, this.#clock) <= 0
    if (isOver) throw new ExecutionError('the lock has expired already, was released, or was replaced', [])
    const { attempts } = await this.#execute(resolved, () => extendAll(held, duration))
    existing.expiration = 0
    return this.#made(resources, held, attempts, duration, resolved)
  }

  /**
   * Calls `acquire`, then `routine`, then `release`, with extensions in between. When the lock is lost, the routine's
   * signal aborts, with its `error` set. Resolves as the routine does. Rejects with the routine's reason, or with
   * `ExecutionError` if the lock was not acquired or was lost before the end.
   */
  using<T>(
    resources: readonly string[],
    duration: number,
    settings: Partial<RedlockSettings>,
    routine: Routine<T>,
  ): Promise<T>
  using<T>(resources: readonly string[], duration: number, routine: Routine<T>): Promise<T>
  async using<T>(
    resources: readonly string[],
    duration: number,
    settingsOrRoutine: Partial<RedlockSettings> | Routine<T>,
    last?: Routine<T>,
  ): Promise<T> {
    const [settings, routine] =
      typeof settingsOrRoutine === 'function' ? [{}, settingsOrRoutine] : [settingsOrRoutine, last]
    checkFunction('routine', routine)
    const { automaticExtensionThreshold } = resolveSettings(settings, this.settings)
    positiveDuration('duration', duration)
    if (automaticExtensionThreshold > duration - LEAST_BESIDE_THRESHOLD) {
      const expected = `at least ${LEAST_BESIDE_THRESHOLD} ms longer than automaticExtensionThreshold`
      throw outOfRange('duration', expected, duration)
    }
    const lock = await this.acquire(resources, duration, settings)
    const extension = new AutoExtension(lock, duration, automaticExtensionThreshold, this.#clock)
    let result: T
    try {
      result = await (routine as Routine<T>)(extension.signal)
    } catch (error) {
      await (await extension.end()).release().catch(() => {})
      throw error
    }
    await (await extension.end()).release()
    return result
  }

  /** Ends all waiting, and calls `quit` of every client that has one, as redlock 5 does. */
  async quit(): Promise<void> {
    await this.#locker.close()
    await Promise.all(Array.from(this.clients, async (client) => (client as Partial<Quitting>).quit?.()))
  }

  /** Subtracts Redis's precision and the drift of clocks, as redlock 5 does. */
  #made(
    resources: readonly string[],
    held: readonly HeldLock[],
    attempts: readonly Promise<ExecutionStats>[],
    duration: number,
    { driftFactor }: RedlockSettings,
  ): RedlockLock {
    const lasts = timeLeft(held, this.#clock) - Math.round(driftFactor * duration) - 2
    return new RedlockLock(this, resources, held, attempts, Math.floor(this.#clock.wallNow() + lasts))
  }

  /** Runs attempts until one succeeds, the last one has failed, or one says that another is pointless. */
  async #execute<R>(
    settings: RedlockSettings,
    attempt: (until: number) => Promise<R>,
  ): Promise<{ result: R; attempts: Promise<ExecutionStats>[] }> {
    const attempts: Promise<ExecutionStats>[] = []
    const until = this.#clock.now() + patienceOf(settings)
    const most = settings.retryCount === -1 ? Infinity : settings.retryCount + 1
    // A refused attempt has already waited, in line.
    const hasGivenUp = (error: Error): boolean => {
      if (error instanceof ResourceLockedError) return this.#clock.now() >= until
      return attempts.length >= most || error instanceof ClosedError
    }
    for (;;) {
      try {
        const result = await attempt(until)
        attempts.push(Promise.resolve(this.#stats(undefined)))
        return { result, attempts }
      } catch (reason) {
        const error = reason instanceof LockNotHeldError ? lostError(reason) : (reason as Error)
        attempts.push(Promise.resolve(this.#stats(error)))
        this.emit('error', error)
        if (reason instanceof LockNotHeldError || hasGivenUp(error)) {
          throw new ExecutionError(`the last of ${attempts.length} attempts failed: ${error.message}`, attempts, {
            cause: error,
          })
        }
        await this.#pause(settings)
      }
    }
  }

  #stats(error: Error | undefined): ExecutionStats {
    const { clients } = this
    const votesFor = new Set(error === undefined ? clients : [])
    const votesAgainst = new Map(error === undefined ? [] : Array.from(clients, (client) => [client, error] as const))
    return { membershipSize: clients.size, quorumSize: clients.size, votesFor, votesAgainst }
  }

  #pause({ retryDelay, retryJitter }: RedlockSettings): Promise<void> {
    const ms = retryDelay + Math.floor((this.#random.uniform() * 2 - 1) * retryJitter)
    return new Promise((resolve) => this.#clock.setTimeout(resolve, Math.max(ms, 0)))
  }

  /** All locks, each with its whole duration left, or none. */
  async #lockAll(keys: readonly string[], duration: number, until: number): Promise<HeldLock[]> {
    const held: HeldLock[] = []
    try {
      // While waiting for the others, the first must not expire.
      let latest = until
      for (const key of keys) {
        held.push(await this.#lockOne(key, duration, latest))
        latest = Math.min(latest, this.#clock.now() + duration / 2)
      }
      await extendAll(held.slice(0, -1), duration)
      return held
    } catch (error) {
      await Promise.allSettled(held.map((lock) => lock.release()))
      throw error instanceof LockNotHeldError ? lostError(error) : error
    }
  }

  /** Waits in line until `until`. Tries at least once. */
  async #lockOne(key: string, duration: number, until: number): Promise<HeldLock> {
    const patience = until - this.#clock.now()
    if (patience <= 0) return (await this.#locker.tryAcquire(key, duration).catch(refused)) as HeldLock
    const waiting = new AbortController()
    const isOver = new LockNotAcquiredError(key)
    const timer = patience < Infinity ? this.#clock.setTimeout(() => waiting.abort(isOver), patience) : undefined
    try {
      return (await this.#locker.acquire(key, duration, { signal: waiting.signal }).catch(refused)) as HeldLock
    } finally {
      timer?.cancel()
    }
  }
}

/** ms by which redlock 5 requires a duration to exceed the threshold. */
const LEAST_BESIDE_THRESHOLD = 100

interface Quitting {
  quit(): Promise<unknown>
}

function checkResources(resources: unknown): readonly string[] {
  const checked = checkArray('resources', resources, 'an array of non-empty strings')
  if (checked.length === 0) throw outOfRange('resources', 'at least one non-empty string', resources)
  return checked.map((resource) => checkKey(resource, 'resource'))
}

async function extendAll(held: readonly HeldLock[], duration: number): Promise<void> {
  await Promise.all(held.map((lock) => lock.extend(duration)))
}

function refused(error: unknown): never {
  throw error instanceof LockNotAcquiredError ? new ResourceLockedError(error) : error
}

function lostError(error: LockNotHeldError): ResourceLockedError {
  return new ResourceLockedError(error)
}
