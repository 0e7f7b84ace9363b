import { defineScript, type Script } from '../script.ts'

/**
 * Sets the time that a lock has left, but only while it is the token's: a lock that lapsed is never made anew.
 *
 *     KEYS  1 lock
 *     ARGV  1 token   2 ms of ttl
 *
 * Replies 1, or 0 when the lock was not the token's.
 */
export const lockExtend: Script = defineScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)
