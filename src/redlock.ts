/**
 * The surface of redlock 5 over `Locker`.
 *
 * @module herdlock/redlock
 */
export { Redlock } from './redlock/redlock.ts'
export type { RedlockAbortSignal } from './redlock/auto-extension.ts'
export type { RedlockLock } from './redlock/redlock-lock.ts'
export { ExecutionError, ResourceLockedError } from './redlock/errors.ts'
export type { ExecutionResult, ExecutionStats } from './redlock/errors.ts'
export type { RedlockSettings } from './redlock/settings.ts'
