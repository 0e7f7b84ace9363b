/**
 * The lock alone, for those who want nothing else.
 *
 * @module herdlock/lock
 */
export { Locker } from './lock/locker.ts'
export type { Lock } from './lock/lock.ts'
export type { AcquireOptions, LockerOptions } from './lock/options.ts'
export type { LockEndedMessage, LockMessage } from './diagnostics.ts'
export type { RedisClient } from './redis/clients/port-of.ts'
export {
  ClosedError,
  HerdlockError,
  LockLostError,
  LockNotAcquiredError,
  LockNotHeldError,
  LockReleaseError,
  RedisTimeoutError,
  UnexpectedReplyError,
} from './errors.ts'
