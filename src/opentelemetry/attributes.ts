import { isInstance } from '../errors.ts'

/** Names of attributes, following OpenTelemetry's semantic conventions. */
export const CACHE_NAME = 'herdlock.cache.name'
export const CACHE_RESULT = 'herdlock.cache.result'
export const CACHE_TIER = 'herdlock.cache.tier'
export const KEY = 'herdlock.key'
export const REFILL_BACKGROUND = 'herdlock.refill.background'
export const REFILL_OUTCOME = 'herdlock.refill.outcome'
export const CLAIM_STATE = 'herdlock.claim.state'
export const LOCK_WAITING = 'herdlock.lock.waiting'
export const LOCK_OUTCOME = 'herdlock.lock.outcome'
export const REDIS_INSTANCE = 'herdlock.redis.instance'
export const BREAKER_STATE = 'herdlock.redis.breaker.state'
export const ERROR_TYPE = 'error.type'

/** The `error.type` of an error: one of few values, without anything from its message. */
export function errorType(error: unknown): string {
  return isInstance(error, Error) ? error.name : typeof error
}
