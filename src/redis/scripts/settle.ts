import { defineScript, type Script } from '../script.ts'
import { announcing } from './announce.ts'
import { endRefill } from './end-refill.ts'
import { entryHeader } from './entry-header.ts'
import { handOff } from './hand-off.ts'
import { touchTag } from './touch-tag.ts'
import { wakeWaiters } from './wake-waiters.ts'

/**
 * Ends refills, each only while it may still be ended: the caller has its lease; or the lease has run out, but nobody has
 * taken it and nothing has changed the entry since. Stores the bytes, if any. Frees the lease, which a `Locker` may wait
 * for. Tells every registered inbox. A leader that was overtaken changes nothing. If a tag of the value was invalidated or
 * expired since its load began, the value is neither stored nor sent: the waiters are told to look again. A failure does
 * not replace a value that may still be served.
 *
 *     KEYS  for each entry   value   lease   waiters   last   queue of the lease
 *     ARGV  1 how the keys of tags begin, '' to leave tags to the caller   2 '1' if PUBLISH counts every subscriber
 *           3 payload that says: look again   4 '' or the time in ms after which nothing is stored any more
 *           5 bytes of the client's own prefix, which the topics of messages do not have
 *           for each entry, split by spaces   token   ms of ttl, staleWhileRevalidate and staleIfError   letters or none:
 *             r the lease has run out by the caller's clock; and in this order, each with further arguments:
 *             b bytes of the envelope
 *             n payload of the message; without it waiters get the bytes
 *             c channel, counter and parts, see `announcing`, message for the backplane, its part
 *
 * Replies { now, and for each entry its outcome }: `now` in µs on Redis's clock, and
 *     1  done   0  the caller no longer had the lease   2  a tag forbade it   3  it was too late
 */
export const settle: Script = defineScript(`
${entryHeader}
${handOff}
${touchTag}
${wakeWaiters}
${endRefill}
${announcing}
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local tagKeys, counts, again = ARGV[1], ARGV[2] == '1', ARGV[3]

local deadline, prefixLength = ARGV[4], tonumber(ARGV[5])
local arg = 5
local function nextArg()
  arg = arg + 1
  return ARGV[arg]
end

local function settleOne(keys)
  local valueKey, leaseKey, waitersKey, lastKey, queueKey = KEYS[keys], KEYS[keys + 1], KEYS[keys + 2], KEYS[keys + 3], KEYS[keys + 4]
  local token, life, ttl, revalidate, ifError, letters = string.match(nextArg(), '^(%S+) ((%d+) (%d+) (%d+)) (%a*)$')
  local function has(letter) return string.find(letters, letter, 1, true) end
  local bytes = has('b') and nextArg()
  local notice = has('n') and nextArg()
  local channel, counter, parts, change, part
  if has('c') then channel, counter, parts, change, part = nextArg(), nextArg(), nextArg(), nextArg(), nextArg() end
  local storeFor = bytes and ttl + math.max(revalidate, ifError) or 0
  local topic = string.sub(valueKey, prefixLength + 1) .. token
  if not isStillGood(leaseKey, lastKey, token, has('r') and '1' or '') then return 0 end
  if storeFor > 0 and deadline ~= '' and now > tonumber(deadline) then return 3 end
  if bytes and areTagsChanged(bytes, tagKeys, storeFor) then
    freeLease(leaseKey, lastKey, queueKey, counts)
    wakeWaiters(waitersKey, topic, again, 0)
    return 2
  end
  if bytes then bytes = timed(bytes, now, life) end
  if storeFor > 0 and not (isFailure(bytes) and isUsable(redis.pcall('GET', valueKey), now)) then
    redis.call('SET', valueKey, bytes, 'PX', storeFor)
  end
  freeLease(leaseKey, lastKey, queueKey, counts)
  if channel then announce(channel, counter, parts, change, part) end
  wakeWaiters(waitersKey, topic, notice or bytes, storeFor > 0 and #bytes or 0)
  return 1
end

local reply = { micros }
for i = 0, #KEYS / 5 - 1 do reply[i + 2] = settleOne(5 * i + 1) end
return reply
`)
