import { defineScript, type Script } from '../script.ts'
import { endRefill } from './end-refill.ts'
import { entryHeader } from './entry-header.ts'
import { handOff } from './hand-off.ts'
import { touchTag } from './touch-tag.ts'
import { wakeWaiters } from './wake-waiters.ts'

/**
 * Ends refills that found the stored value still correct, as `settle` ends others: the value gets a new life and a new head
 * in its place. It is neither sent to Redis nor read from it, unless somebody waits for it.
 *
 *     KEYS  for each entry   value   lease   waiters   last   queue of the lease
 *     ARGV  1 how the keys of tags begin, '' to leave tags to the caller   2 '1' if PUBLISH counts every subscriber
 *           3 payload that says: look again   4 most bytes of a message
 *           for each entry   token   ms until the stored bytes expire, 0 to leave them as they are
 *           head of the new envelope, with its tags and without a payload
 *           its life: ms of ttl, staleWhileRevalidate and staleIfError   topic of the message; the token follows it
 *           '' or the time in ms after which nothing is done any more   '1' if the lease has run out by the caller's clock
 *
 * Replies { now, and for each entry its outcome }: `now` in µs on Redis's clock, and
 *     1  done   0  the caller no longer had the lease   2  a tag forbade it   3  it was too late
 *     4  nothing is stored that could be renewed; the caller still has the lease
 */
export const renew: Script = defineScript(`
${entryHeader}
${handOff}
${touchTag}
${wakeWaiters}
${endRefill}
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local tagKeys, counts, again, largest = ARGV[1], ARGV[2] == '1', ARGV[3], tonumber(ARGV[4])

local function renewOne(keys, args)
  local valueKey, leaseKey, waitersKey, lastKey, queueKey = KEYS[keys], KEYS[keys + 1], KEYS[keys + 2], KEYS[keys + 3], KEYS[keys + 4]
  local token, storeFor, head, life, topic, deadline = ARGV[args], tonumber(ARGV[args + 1]), ARGV[args + 2], ARGV[args + 3], ARGV[args + 4] .. ARGV[args], ARGV[args + 5]
  if not isStillGood(leaseKey, lastKey, token, ARGV[args + 6]) then return 0 end
  if deadline ~= '' and now > tonumber(deadline) then return 3 end
  local old = redis.pcall('GETRANGE', valueKey, 0, 63)
  if not isEnvelope(old) or string.sub(old, 4, 4) ~= 'v' then return 4 end
  if areTagsChanged(head, tagKeys, storeFor) then
    freeLease(leaseKey, lastKey, queueKey, counts)
    wakeWaiters(waitersKey, topic, again, 0)
    return 2
  end
  local oldLength = 64 + tonumber(string.sub(old, 59, 63))
  local isSent = redis.call('EXISTS', waitersKey) == 1 and redis.call('STRLEN', valueKey) - oldLength + #head <= largest
  head = timed(head, now, life)
  local whole
  if isSent or #head ~= oldLength then whole = head .. redis.call('GETRANGE', valueKey, oldLength, -1) end
  if storeFor > 0 then
    if #head == oldLength then
      redis.call('SETRANGE', valueKey, 0, head)
      redis.call('PEXPIRE', valueKey, storeFor)
    else
      redis.call('SET', valueKey, whole, 'PX', storeFor)
    end
  end
  freeLease(leaseKey, lastKey, queueKey, counts)
  wakeWaiters(waitersKey, topic, isSent and whole or again, storeFor > 0 and redis.call('STRLEN', valueKey) or 0)
  return 1
end

local reply = { micros }
for i = 0, #KEYS / 5 - 1 do reply[i + 2] = renewOne(5 * i + 1, 7 * i + 5) end
return reply
`)
