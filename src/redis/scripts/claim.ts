import { defineScript, type Script } from '../script.ts'
import { PRESENT_STREAM } from '../stream-keys.ts'
import { entryHeader } from './entry-header.ts'
import { slotFunctions } from './slot-functions.ts'
import { wakeWaiters } from './wake-waiters.ts'

/** ms for which a lease that has run out still allows its commit, if nobody has taken it since. */
const LAST_TTL = 10 * 60 * 1000

/**
 * Reads entries. For each that is not fresh, takes the lease of its refill, or registers for the result of the lease's
 * holder. This is the one round trip of a miss. Claims of one tick travel together.
 *
 *     KEYS  for each entry   value   lease   waiters   last
 *     ARGV  1 ms of lease   2 inbox id to register, or '' for none
 *           3 how the keys of tags begin, or '' to leave tags to the caller   4 payload that says: look again
 *           5 bytes of the client's own prefix, which the topics of messages do not have
 *           for each entry   token for the lease. If there is more to say: a space, a time or nothing (an entry that is
 *           fresh no longer than that counts as stale), a space, and letters: t to take the lease from its holder
 *
 * Replies { now, and for each entry { bytes or nil, state, damaged, holder } }: `now` in µs on Redis's clock, and `state`
 *     'fresh'  the bytes are fresh
 *     'leased' the caller has the lease, under its token, which is noted as the last
 *     n        another caller refills; ms until that lease ends (0: it never ends, so it is not ours); only then
 *              `holder`, the token of that lease
 * Bytes that are not an envelope are deleted, and the reply is as for no bytes, with 1 for `damaged`; otherwise it is 0.
 */
export const claim: Script = defineScript(`
${entryHeader}
${wakeWaiters}
${claimFunction(undefined)}
local reply = { micros }
for i = 0, #KEYS / 4 - 1 do reply[i + 2] = claimOne(4 * i, ARGV[i + 6]) end
return reply
`)

/**
 * The same for a cache whose loads are limited: with a lease comes a slot to load in, or a place in line.
 *
 *     KEYS  as above, then   held   line
 *     ARGV  1 to 5 as above   6 to 10 rules, see `slotFunctions`
 *           for each entry   as above, with a further letter: s if it wants a slot with the lease
 *
 * Replies as above. If a slot is wanted, its state follows the lease, as in the reply of `slots`. Last come the figures of
 * the slots: held, length of the line, ms until the first ends or -1.
 */
export const claimInLimit: Script = defineScript(`
${entryHeader}
${wakeWaiters}
${slotFunctions}
local slots = slotsOf(KEYS[#KEYS - 1], KEYS[#KEYS], tonumber(ARGV[1]), 6)
slots.handOn()
${claimFunction("if string.find(letters, 's', 1, true) then return { value, 'leased', damaged, slots.want(token, inbox ~= '') } end")}
local count = (#KEYS - 2) / 4
local reply = { micros }
for i = 0, count - 1 do
  reply[i + 2] = claimOne(4 * i, ARGV[i + 11])
end
reply[count + 2] = slots.figures()
return reply
`)

/** Lua function that claims one entry. `onLease`: what to do in addition, once it has the lease. */
function claimFunction(onLease: string | undefined): string {
  return `
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local lockTtl, inbox, tagKeys, again = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local prefixLength = tonumber(ARGV[5])

local function takeOver(valueKey, leaseKey, waitersKey, token)
  local holder = redis.pcall('GET', leaseKey)
  if not holder or holder == token then return end
  redis.call('DEL', leaseKey, valueKey .. '${PRESENT_STREAM}')
  if type(holder) == 'string' then wakeWaiters(waitersKey, string.sub(valueKey, prefixLength + 1) .. holder, again, 0) end
end

local function claimOne(keys, asked)
  local token, freshBeyond, letters = string.match(asked, '^(%S+) (%S*) (%a*)$')
  if not token then token, freshBeyond, letters = asked, '', '' end
  local valueKey, leaseKey, waitersKey, lastKey = KEYS[keys + 1], KEYS[keys + 2], KEYS[keys + 3], KEYS[keys + 4]
  local value = redis.pcall('GET', valueKey)
  local damaged = 0
  if value and not isEnvelope(value) then
    redis.call('DEL', valueKey)
    value = false
    damaged = 1
  elseif value and tagKeys ~= '' and not isUntagged(value) then
    local ends = endByTags(value, tagKeys, valueKey)
    value = ends and endedAt(value, ends)
    if not value or usableUntil(value) <= now then
      redis.call('DEL', valueKey)
      value = false
    end
  end
  if value then
    local freshUntil = freshUntilOf(value)
    if now < freshUntil and (freshBeyond == '' or freshUntil > tonumber(freshBeyond)) then return { value, 'fresh', damaged } end
  end
  if string.find(letters, 't', 1, true) then takeOver(valueKey, leaseKey, waitersKey, token) end
  if redis.call('SET', leaseKey, token, 'NX', 'PX', lockTtl) or redis.call('GET', leaseKey) == token then
    redis.call('SET', lastKey, token, 'PX', ${LAST_TTL})
    ${onLease ?? ''}
    return { value, 'leased', damaged }
  end
  if inbox ~= '' then
    redis.call('SADD', waitersKey, inbox)
    redis.call('PEXPIRE', waitersKey, lockTtl + 60000)
  end
  return { value, math.max(redis.call('PTTL', leaseKey), 0), damaged, redis.call('GET', leaseKey) }
end
`
}
