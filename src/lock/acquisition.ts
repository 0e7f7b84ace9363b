import { LockLostError, LockNotAcquiredError } from '../errors.ts'
import { lateReply } from '../redis/connection.ts'
import { GRANT } from '../redis/scripts/hand-off.ts'
import type { Acquired, LockHost } from './held-lock.ts'
import { type Attempt, type Busy, TAKEN } from './instance.ts'
import type { Place } from './line.ts'
import { validityEnd } from './validity.ts'
import type { WaitingRoom } from './waiting-room.ts'

export interface Refusal {
  readonly index: number
  readonly busy: Busy
}

export interface Wanted {
  readonly key: string
  readonly token: string
  readonly ttl: number
  readonly fencing: boolean
}

/** One call that acquires a lock on all instances or on none. */
export class Acquisition {
  readonly #host: LockHost
  readonly #wanted: Wanted
  /** Where to wait after a refusal, one room for each instance. Absent: a refusal is final. */
  readonly #rooms: readonly WaitingRoom[] | undefined
  /** The place in line at the instance that refused last. */
  #waiting: { readonly index: number; readonly place: Place } | undefined
  /** The last instance that an attempt reached. */
  #reached = 0
  /** The instance whose answer is awaited or never came. */
  #unanswered: number | undefined
  /** The time before the first command of the current attempt. */
  #sentAt = 0
  #fencingToken: number | undefined

  constructor(host: LockHost, wanted: Wanted, rooms?: readonly WaitingRoom[]) {
    this.#host = host
    this.#wanted = wanted
    this.#rooms = rooms
  }

  /** The place to wait at after a refusal, if this call waits. */
  get place(): Place | undefined {
    return this.#waiting?.place
  }

  /**
   * After a refusal: resolves when it is time for another attempt, or with the lock if it was handed over. A hand-over is
   * the lock itself only with one instance and without a fencing number.
   */
  async turn({ busy }: Refusal): Promise<Acquired | undefined> {
    const { key, token, ttl, fencing } = this.#wanted
    const validUntil = await this.#waiting?.place.turn(busy, this.#sentAt)
    if (validUntil === undefined || fencing || this.#host.instances.length > 1) return undefined
    return validUntil - this.#host.clock.now() > GRANT / 2 ? { key, token, ttl, validUntil } : undefined
  }

  /**
   * Takes the lock on every instance, in order. When one refuses, the locks already taken are released again. When one
   * fails, this rejects with its error, and the caller must call `abandon`.
   */
  async attempt(): Promise<Refusal | undefined> {
    const { instances, clock } = this.#host
    this.#sentAt = clock.now()
    this.#fencingToken = undefined
    for (let index = 0; index < instances.length; index++) {
      this.#reached = Math.max(this.#reached, index)
      this.#unanswered = index
      const attempt = await this.#take(index)
      this.#unanswered = undefined
      if (!attempt.taken) {
        await this.#releaseAllBut(index)
        return { index, busy: attempt }
      }
      if (attempt.fencingToken !== undefined) {
        this.#fencingToken = Math.max(attempt.fencingToken, this.#fencingToken ?? 0)
      }
    }
    return undefined
  }

  /**
   * The lock after a successful attempt. Throws if acquiring took longer than the lock lasts; then the caller must call
   * `abandon`.
   */
  acquired(): Acquired {
    const { key, token, ttl } = this.#wanted
    const validUntil = validityEnd(this.#sentAt, ttl)
    this.assertInTime(validUntil)
    return { key, token, ttl, validUntil, fencingToken: this.#fencingToken }
  }

  /** Throws if a lock that lasts until then came too late. */
  assertInTime(validUntil: number): void {
    if (this.#host.clock.now() < validUntil) return
    const { key, ttl } = this.#wanted
    const why = `getting it took longer than its ttl (${ttl} ms)`
    throw new LockNotAcquiredError(key, why, { cause: new LockLostError(key, why) })
  }

  /**
   * Releases every instance that was reached, in reverse order. Never fails. The instance that failed with `error` is
   * cleaned too, because it may still carry out the command, but it is not awaited.
   */
  async abandon(error: unknown): Promise<void> {
    for (let index = this.#reached; index >= 0; index--) {
      const released = this.#release(index)
      if (index !== this.#unanswered) {
        await released
        continue
      }
      this.#host.inBackground(released)
      // In case the late command is carried out after the release.
      lateReply(error)?.then(
        () => this.#release(index),
        () => {},
      )
    }
  }

  leave(): void {
    this.#waiting?.place.leave()
    this.#waiting = undefined
  }

  async #take(index: number): Promise<Attempt> {
    const { key, token, ttl, fencing } = this.#wanted
    const instance = this.#host.instances[index] as LockHost['instances'][number]
    const room = this.#rooms?.[index]
    if (room === undefined) {
      return fencing ? instance.acquire(key, token, ttl, { queue: false, fencing }) : instance.set(key, token, ttl)
    }
    const waitsHere = this.#waiting?.index === index
    // If others wait, the lock is not free, or it is not meant for us: see leave-free.ts.
    if (!fencing && !waitsHere && !room.isContended(key) && (await instance.setIfFree(key, token, ttl))) return TAKEN
    if (!waitsHere) {
      this.leave()
      this.#waiting = { index, place: room.join(key, token) }
    }
    return instance.acquire(key, token, ttl, { queue: instance.inbox.ready, fencing })
  }

  async #releaseAllBut(refused: number): Promise<void> {
    for (let index = this.#reached; index >= 0; index--) if (index !== refused) await this.#release(index)
  }

  async #release(index: number): Promise<void> {
    const { key, token } = this.#wanted
    await this.#host.instances[index]?.release(key, token).catch(() => {})
  }
}
