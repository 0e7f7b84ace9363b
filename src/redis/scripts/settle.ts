import { defineScript, type Script } from '../script.ts'
import { wakeWaiters } from './wake-waiters.ts'

/**
 * Ends a refill, but only while the lease is still the caller's: stores what is to be stored, deletes the lease, and
 * tells every registered inbox. A leader that was overtaken changes nothing.
 *
 *     KEYS  1 value   2 lease   3 waiters
 *     ARGV  1 token   2 ms until the stored bytes expire, 0 to store nothing   3 bytes to store
 *           4 topic of the message   5 payload of the message, '' for the bytes of ARGV 3
 *
 * Replies 1, or 0 when the lease was no longer the caller's.
 */
export const settle: Script = defineScript(`
${wakeWaiters}
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '0' then redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2]) end
redis.call('DEL', KEYS[2])
wakeWaiters(KEYS[3], ARGV[4], ARGV[5] == '' and ARGV[3] or ARGV[5])
return 1
`)
