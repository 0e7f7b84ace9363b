import { defineScript, type Script } from '../script.ts'
import { handOff } from './hand-off.ts'
import { wakeWaiters } from './wake-waiters.ts'

/**
 * Sets or deletes an entry from outside a refill. A refill that runs loses its lease in the same step, so that what it
 * read before cannot come back; every process hears of it on the backplane.
 *
 *     KEYS  1 value   2 lease   3 waiters   4 queue of the lease
 *     ARGV  1 ms until the bytes expire, 0 to delete   2 bytes   3 topic, which the token of the lease follows
 *           4 payload for waiters   5 channel of the backplane   6 message for it
 *           7 '1' where PUBLISH counts every subscriber
 *
 * Replies 1.
 */
export const overwrite: Script = defineScript(`
${handOff}
${wakeWaiters}
if ARGV[1] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1]) end
local holder = redis.pcall('GET', KEYS[2])
if not handOff(KEYS[2], KEYS[4], ARGV[7] == '1') then redis.call('DEL', KEYS[2]) end
if type(holder) == 'string' then wakeWaiters(KEYS[3], ARGV[3] .. holder, ARGV[4]) end
redis.pcall('PUBLISH', ARGV[5], ARGV[6])
return 1
`)
