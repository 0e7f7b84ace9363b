import type { Clock } from '../clock.ts'
import type { HeldLock } from '../lock/held-lock.ts'
import type { ExecutionResult, ExecutionStats } from './errors.ts'

/** What a lock asks of the `Redlock` that made it. */
export interface LockKeeper {
  release(lock: RedlockLock): Promise<ExecutionResult>
  extend(lock: RedlockLock, duration: number): Promise<RedlockLock>
}

/** Locks of one or several resources that were taken together. */
export class RedlockLock {
  readonly redlock: LockKeeper
  readonly resources: readonly string[]
  readonly attempts: readonly Promise<ExecutionStats>[]
  /** When it ends, in ms since 1970, on this host's clock; 0 once it was released, or replaced by `extend`. */
  expiration: number
  /** One lock for each resource. @internal */
  readonly held: readonly HeldLock[]

  /** @internal */
  constructor(
    redlock: LockKeeper,
    resources: readonly string[],
    held: readonly HeldLock[],
    attempts: readonly Promise<ExecutionStats>[],
    expiration: number,
  ) {
    this.redlock = redlock
    this.resources = resources
    this.held = held
    this.attempts = attempts
    this.expiration = expiration
  }

  /**
   * The value of the resource's key in Redis. With several resources: all values, joined by commas, in the order in which
   * they were taken.
   */
  get value(): string {
    return this.held.map(({ token }) => token).join()
  }

  release(): Promise<ExecutionResult> {
    return this.redlock.release(this)
  }

  /** Resolves with the new lock. The old one then counts as expired. */
  extend(duration: number): Promise<RedlockLock> {
    return this.redlock.extend(this, duration)
  }
}

/** ms for which all of them are certainly held. */
export function timeLeft(held: readonly HeldLock[], clock: Clock): number {
  return Math.min(...held.map(({ validUntil }) => validUntil)) - clock.now()
}
