import { defineScript, type Script } from '../script.ts'

/**
 * The time that a lock has left.
 *
 *     KEYS  1 lock
 *     ARGV  1 token
 *
 * Replies the ms until the lock lapses, 0 if the token does not have it, -1 if it never lapses.
 */
export const lockRemaining: Script = defineScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PTTL', KEYS[1])
`)
