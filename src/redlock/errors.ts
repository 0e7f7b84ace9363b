import { HerdlockError, type LockNotAcquiredError, type LockNotHeldError } from '../errors.ts'
import type { RedisClient } from '../redis/clients/port-of.ts'

/** How one attempt went. An attempt succeeds in all instances or in none. */
export interface ExecutionStats {
  readonly membershipSize: number
  /** All of them. */
  readonly quorumSize: number
  /** All clients, or none. */
  readonly votesFor: ReadonlySet<RedisClient>
  /** None, or all clients with the error that ended the attempt. */
  readonly votesAgainst: ReadonlyMap<RedisClient, Error>
}

export interface ExecutionResult {
  readonly attempts: readonly Promise<ExecutionStats>[]
}

/** A resource is locked by somebody else, or no longer by this lock. */
export class ResourceLockedError extends HerdlockError {
  override readonly name = 'ResourceLockedError'

  constructor(cause: LockNotAcquiredError | LockNotHeldError) {
    super('RESOURCE_LOCKED', cause.message, { cause })
  }
}

/** The last attempt of an operation has failed; `cause` says why. */
export class ExecutionError extends HerdlockError {
  override readonly name = 'ExecutionError'
  readonly attempts: readonly Promise<ExecutionStats>[]

  constructor(why: string, attempts: readonly Promise<ExecutionStats>[], options?: ErrorOptions) {
    super('EXECUTION', why, options)
    this.attempts = attempts
  }
}
