import { defineScript, type Script } from '../script.ts'
import { entryHeader } from './entry-header.ts'
import { handOff } from './hand-off.ts'
import { wakeWaiters } from './wake-waiters.ts'

/**
 * Sets, deletes or expires an entry from outside a refill. A refill that runs loses its lease in the same step, so that
 * what it read before cannot come back; every process hears of it on the backplane.
 *
 *     KEYS  1 value   2 lease   3 waiters   4 last   5 queue of the lease   6 present stream
 *     ARGV  1 ms until the bytes expire, 0 to delete what is there, 'expire' to end its ttl: without a window after that
 *             it is deleted, too   2 bytes of the envelope
 *           3 its life: ms of ttl, staleWhileRevalidate and staleIfError   4 topic, which the token of the lease follows
 *           5 payload for waiters, '' for the bytes   6 channel of the backplane   7 message for it
 *           8 '1' where PUBLISH counts every subscriber   9 '' or the instant in ms after which nothing is done any more
 *
 * Replies { now, 1 }, or { now, 3 } when it was too late: \`now\` in µs on Redis's clock.
 */
export const overwrite: Script = defineScript(`
${entryHeader}
${handOff}
${wakeWaiters}
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
if ARGV[9] ~= '' and now > tonumber(ARGV[9]) then return { micros, 3 } end
local bytes, storeFor = ARGV[2], tonumber(ARGV[1])
if not storeFor then
  local value = redis.pcall('GET', KEYS[1])
  bytes = isEnvelope(value) and endedAt(value, now) or ''
  storeFor = bytes == '' and 0 or math.max(usableUntil(bytes) - now, 0)
elseif storeFor > 0 then
  bytes = timed(bytes, now, ARGV[3])
end
if storeFor > 0 then redis.call('SET', KEYS[1], bytes, 'PX', storeFor) else redis.call('DEL', KEYS[1]) end
local holder = redis.pcall('GET', KEYS[2])
redis.call('DEL', KEYS[4], KEYS[6])
if not handOff(KEYS[2], KEYS[5], ARGV[8] == '1') then redis.call('DEL', KEYS[2]) end
if type(holder) == 'string' then wakeWaiters(KEYS[3], ARGV[4] .. holder, ARGV[5] == '' and bytes or ARGV[5], #bytes) end
redis.pcall('PUBLISH', ARGV[6], ARGV[7])
return { micros, 1 }
`)
