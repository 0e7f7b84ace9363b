import { defineScript, type Script } from '../script.ts'

/**
 * Reads an entry and, unless it is fresh, takes the lease of its refill or registers for the result of whoever has it:
 * the one round trip of a miss.
 *
 *     KEYS  1 value   2 lease   3 waiters
 *     ARGV  1 token for the lease   2 ms of lease   3 inbox id to register, or '' for none
 *           4 '1' to refill even what is fresh, else ''
 *
 * Replies { now, bytes or nil, state }: `now` in ms on Redis's clock, and `state`
 *     'fresh'  the bytes are fresh
 *     'leased' the lease is the caller's, under the token of ARGV 1
 *     n        someone else refills; ms until that lease ends (0: the key has no expiry, it is not a lease of ours)
 * Bytes that are no envelope are deleted and answered like none, with 'corrupt' as a fourth element.
 */
export const claim: Script = defineScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local value = redis.pcall('GET', KEYS[1])
local corrupt
if value and (type(value) == 'table' or string.sub(value, 1, 3) ~= 'hl1' or not tonumber(string.sub(value, 6, 18))) then
  redis.call('DEL', KEYS[1])
  value = false
  corrupt = 'corrupt'
end
if value and ARGV[4] == '' and now < tonumber(string.sub(value, 6, 18)) then return { now, value, 'fresh' } end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[2]) == ARGV[1] then
  return { now, value, 'leased', corrupt }
end
if ARGV[3] ~= '' then
  redis.call('SADD', KEYS[3], ARGV[3])
  redis.call('PEXPIRE', KEYS[3], ARGV[2] + 60000)
end
return { now, value, math.max(redis.call('PTTL', KEYS[2]), 0), corrupt }
`)
