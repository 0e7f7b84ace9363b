import { defineScript, type Script } from '../script.ts'
import { announcing } from './announce.ts'
import { entryHeader } from './entry-header.ts'
import { handOff } from './hand-off.ts'
import { wakeWaiters } from './wake-waiters.ts'

/**
 * Sets, deletes or expires entries from outside a refill. A running refill loses its lease in the same step, so that what it
 * read before cannot come back. Every process is told on the backplane; one message may tell several changes.
 *
 *     KEYS  for each entry   value   lease   waiters   last   queue of the lease   present stream
 *     ARGV  1 '1' if PUBLISH counts every subscriber   2 to 5 channel, joined, counter and parts, see `announcing`
 *           for each entry   ms until the bytes expire, 0 to delete what is there, 'expire' to end its ttl: without a
 *             window after that it is also deleted   bytes of the envelope
 *           its life: ms of ttl, staleWhileRevalidate and staleIfError   topic; the token of the lease follows it
 *           payload for waiters, '' for the bytes   message for the backplane   its part
 *           '' or the time in ms after which nothing is done any more
 *
 * Replies { now, and for each entry 1, or 3 if it was too late }: `now` in µs on Redis's clock.
 */
export const overwrite: Script = defineScript(`
${entryHeader}
${handOff}
${wakeWaiters}
${announcing}
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local counts = ARGV[1] == '1'

local function overwriteOne(keys, args)
  local valueKey, leaseKey, waitersKey, lastKey, queueKey, streamKey = unpack(KEYS, keys, keys + 5)
  local storeFor, bytes, life, topic, notice, deadline = tonumber(ARGV[args]), ARGV[args + 1], ARGV[args + 2], ARGV[args + 3], ARGV[args + 4], ARGV[args + 7]
  if deadline ~= '' and now > tonumber(deadline) then return 3 end
  if not storeFor then
    local value = redis.pcall('GET', valueKey)
    bytes = isEnvelope(value) and endedAt(value, now) or ''
    storeFor = bytes == '' and 0 or math.max(usableUntil(bytes) - now, 0)
  elseif storeFor > 0 then
    bytes = timed(bytes, now, life)
  end
  if storeFor > 0 then redis.call('SET', valueKey, bytes, 'PX', storeFor) else redis.call('DEL', valueKey) end
  local holder = redis.pcall('GET', leaseKey)
  redis.call('DEL', lastKey, streamKey)
  if not handOff(leaseKey, queueKey, counts) then redis.call('DEL', leaseKey) end
  if type(holder) == 'string' then wakeWaiters(waitersKey, topic .. holder, notice == '' and bytes or notice, #bytes) end
  return 1
end

local reply, messages, partOf = { micros }, {}, {}
for i = 0, #KEYS / 6 - 1 do
  local args = 8 * i + 6
  local outcome = overwriteOne(6 * i + 1, args)
  reply[i + 2] = outcome
  if outcome == 1 then
    messages[#messages + 1] = ARGV[args + 5]
    partOf[#messages] = ARGV[args + 6]
  end
end
announceAll(ARGV[2], ARGV[3], ARGV[4], ARGV[5], messages, partOf)
return reply
`)
