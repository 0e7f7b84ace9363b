import { defineScript, type Script } from '../script.ts'

/**
 * Sets the time that a lock has left, but only while it is the token's: a lock that lapsed is never made anew. One that may
 * not shorten does nothing to a longer time: however late it is carried out, it takes nothing from the lock.
 *
 *     KEYS  1 lock
 *     ARGV  1 token   2 ms of ttl   3 '1' if it may shorten
 *
 * Replies 1, or 0 when the lock was not the token's.
 */
export const lockExtend: Script = defineScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] ~= '1' and redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then return 1 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)
