import { defineScript, type Script } from '../script.ts'
import { entryHeader } from './entry-header.ts'

/** ms for which a lease that has run out, and that nobody has taken since, is still good for its commit. */
const LAST_TTL = 10 * 60 * 1000

/**
 * Reads entries and, where one is not fresh, takes the lease of its refill or registers for the result of whoever has
 * it: the one round trip of a miss. Claims of one tick travel together.
 *
 *     KEYS  for each entry   value   lease   waiters   last
 *     ARGV  1 ms of lease   2 inbox id to register, or '' for none
 *           3 what the keys of tags begin with, or '' to leave tags to the caller
 *           for each entry   token for the lease   '' or an instant: what is fresh no longer than that counts as stale
 *
 * Replies { now, and for each entry { bytes or nil, state, damaged, holder } }: \`now\` in µs on Redis's clock, and \`state\`
 *     'fresh'  the bytes are fresh
 *     'leased' the lease is the caller's, under its token, which is noted as the last
 *     n        someone else refills; ms until that lease ends (0: it never does, so it is none of ours); only then
 *              \`holder\`, the token of that lease
 * Bytes that are no envelope are deleted and answered like none, with 1 in place of \`damaged\`; else 0.
 */
export const claim: Script = defineScript(`
${entryHeader}
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local lockTtl, inbox, tagKeys = ARGV[1], ARGV[2], ARGV[3]

local function claimOne(valueKey, leaseKey, waitersKey, lastKey, token, freshBeyond)
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
  if redis.call('SET', leaseKey, token, 'NX', 'PX', lockTtl) or redis.call('GET', leaseKey) == token then
    redis.call('SET', lastKey, token, 'PX', ${LAST_TTL})
    return { value, 'leased', damaged }
  end
  if inbox ~= '' then
    redis.call('SADD', waitersKey, inbox)
    redis.call('PEXPIRE', waitersKey, lockTtl + 60000)
  end
  return { value, math.max(redis.call('PTTL', leaseKey), 0), damaged, redis.call('GET', leaseKey) }
end

local reply = { micros }
for i = 0, #KEYS / 4 - 1 do
  reply[i + 2] = claimOne(KEYS[4 * i + 1], KEYS[4 * i + 2], KEYS[4 * i + 3], KEYS[4 * i + 4], ARGV[2 * i + 4], ARGV[2 * i + 5])
end
return reply
`)
