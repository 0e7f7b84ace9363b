import { defineScript, type Script } from '../script.ts'
import { entryHeader } from './entry-header.ts'
import { handOff } from './hand-off.ts'
import { touchTag } from './touch-tag.ts'
import { wakeWaiters } from './wake-waiters.ts'

/**
 * Ends a refill, but only while the lease is still the caller's: stores what is to be stored, frees the lease, which a
 * `Locker` may wait for, and tells every registered inbox. A leader that was overtaken changes nothing. A value one of
 * whose tags was invalidated since its load began is not stored, and the waiters are sent to look again.
 *
 *     KEYS  1 value   2 lease   3 waiters   4 queue of the lease
 *     ARGV  1 token   2 ms until the stored bytes expire, 0 to store nothing   3 bytes to store
 *           4 topic of the message, which the token follows   5 payload of the message, '' for the bytes of ARGV 3
 *           6 what the keys of tags begin with, '' to leave tags to the caller   7 payload that says: look again
 *           8 '1' where PUBLISH counts every subscriber
 *
 * Replies 1; 0 when the lease was no longer the caller's; 2 when a tag forbade storing.
 */
export const settle: Script = defineScript(`
${entryHeader}
${handOff}
${touchTag}
${wakeWaiters}
local bytes, storeFor = ARGV[3], tonumber(ARGV[2])
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local function free()
  if not handOff(KEYS[2], KEYS[4], ARGV[8] == '1') then redis.call('DEL', KEYS[2]) end
end
local topic = ARGV[4] .. ARGV[1]
if storeFor > 0 and ARGV[6] ~= '' and not isUntagged(bytes) then
  for _, tag in ipairs(tagsOf(bytes)) do touchTag(ARGV[6] .. tag[1] .. '}', storeFor) end
  if not areTagsValid(bytes, ARGV[6]) then
    free()
    wakeWaiters(KEYS[3], topic, ARGV[7])
    return 2
  end
end
if storeFor > 0 then redis.call('SET', KEYS[1], bytes, 'PX', storeFor) end
free()
wakeWaiters(KEYS[3], topic, ARGV[5] == '' and bytes or ARGV[5])
return 1
`)
