import { defineScript, type Script } from '../script.ts'
import { announcing } from './announce.ts'
import { endRefill } from './end-refill.ts'
import { entryHeader } from './entry-header.ts'
import { handOff } from './hand-off.ts'
import { touchTag } from './touch-tag.ts'
import { wakeWaiters } from './wake-waiters.ts'

/**
 * Ends refills, each only while it may still be ended: while its lease is the caller's, or, where that has run out, while
 * nobody has taken it and nothing has changed the entry since. Stores what is to be stored, frees the lease, which a
 * `Locker` may wait for, and tells every registered inbox. A leader that was overtaken changes nothing. A value one of
 * whose tags was invalidated or expired since its load began is neither stored nor sent: the waiters are told to look
 * again. A failure takes no value's place that others may still be served.
 *
 *     KEYS  for each entry   value   lease   waiters   last   queue of the lease
 *     ARGV  1 what the keys of tags begin with, '' to leave tags to the caller   2 '1' where PUBLISH counts every subscriber
 *           3 payload that says: look again
 *           for each entry   token   ms until the stored bytes expire, 0 to store nothing   bytes of the envelope or ''
 *           its life: ms of ttl, staleWhileRevalidate and staleIfError   topic of the message, which the token follows
 *           payload of the message, '' for the bytes   '' or the instant in ms after which nothing is done any more
 *           '1' where by the caller's clock the lease has run out   '' or the channel of the backplane   key of its
 *           last number   message for it
 *
 * Replies { now, and for each entry its outcome }: \`now\` in µs on Redis's clock, and
 *     1  done   0  the lease was no longer the caller's   2  a tag forbade it   3  it was too late
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

local function settleOne(keys, args)
  local valueKey, leaseKey, waitersKey, lastKey, queueKey = KEYS[keys], KEYS[keys + 1], KEYS[keys + 2], KEYS[keys + 3], KEYS[keys + 4]
  local token, storeFor, bytes, life, topic, notice, deadline = ARGV[args], tonumber(ARGV[args + 1]), ARGV[args + 2], ARGV[args + 3], ARGV[args + 4] .. ARGV[args], ARGV[args + 5], ARGV[args + 6]
  if not isStillGood(leaseKey, lastKey, token, ARGV[args + 7]) then return 0 end
  if deadline ~= '' and now > tonumber(deadline) then return 3 end
  if bytes ~= '' and areTagsChanged(bytes, tagKeys, storeFor) then
    freeLease(leaseKey, lastKey, queueKey, counts)
    wakeWaiters(waitersKey, topic, again, 0)
    return 2
  end
  if bytes ~= '' then bytes = timed(bytes, now, life) end
  if storeFor > 0 and not (isFailure(bytes) and isUsable(redis.pcall('GET', valueKey), now)) then
    redis.call('SET', valueKey, bytes, 'PX', storeFor)
  end
  freeLease(leaseKey, lastKey, queueKey, counts)
  if ARGV[args + 8] ~= '' then announce(ARGV[args + 8], ARGV[args + 9], ARGV[args + 10]) end
  wakeWaiters(waitersKey, topic, notice == '' and bytes or notice, storeFor > 0 and #bytes or 0)
  return 1
end

local reply = { micros }
for i = 0, #KEYS / 5 - 1 do reply[i + 2] = settleOne(5 * i + 1, 11 * i + 4) end
return reply
`)
