import { defineScript, type Script } from '../script.ts'
import { handOff } from './hand-off.ts'
import { CHAIN_TTL, LEFT_FREE } from './leave-free.ts'
import { TOKEN_PREFIX } from './tell.ts'

/** ms after which a queue is forgotten if nobody looks at it: several times the longest pause between two looks. */
const QUEUE_TTL = 15_000
/** ms for which the last fencing number is kept. After that, the clock continues the numbers. It may step back meanwhile. */
const FENCE_TTL = 24 * 60 * 60 * 1000

/**
 * Takes a lock that is free and that nobody waits for, or that was handed to this token, or that this token already has
 * because a first reply was lost. Otherwise joins the queue, if asked to. A lock that is left free for others for a moment
 * counts as held.
 *
 *     KEYS  1 lock   2 queue   3 chain   4 fence, only if a fencing number is wanted
 *     ARGV  1 token   2 ms of ttl   3 '1' to wait in the queue   4 '1' if PUBLISH counts every subscriber
 *
 * Replies { 1, fencing number or 0 } if the token has the lock, otherwise { 0, ms, ours, added, now }:
 *     ms     until the lock lapses, or is no longer left free; -1 if it never does
 *     ours   1 if its holder uses this same queue, or has left it free
 *     added  1 if the token was not in the queue before
 *     now    ms on Redis's clock; the end of a later grant will be a time on this clock
 */
export const lockAcquire: Script = defineScript(`
${handOff}
local lock, queue, chain, fence, token = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]
local holder = redis.call('GET', lock)
local isLeftFree = not holder and redis.call('GET', chain) == '${LEFT_FREE}'
if holder == token then
  redis.call('PEXPIRE', lock, ARGV[2])
elseif not holder and not isLeftFree then
  holder = handOff(lock, queue, ARGV[4] == '1', token) or token
  if holder == token then redis.call('SET', lock, token, 'PX', ARGV[2]) end
end
if holder == token then
  local number = 0
  if fence then
    local time = redis.call('TIME')
    number = math.max((tonumber(redis.call('GET', fence)) or 0) + 1, time[1] * 1000000 + time[2])
    redis.call('SET', fence, string.format('%.0f', number), 'PX', ${FENCE_TTL})
  end
  return { 1, number }
end
local added = 0
local time = redis.call('TIME')
if ARGV[3] == '1' then
  added = redis.call('ZADD', queue, 'NX', string.format('%.0f', time[1] * 1000000 + time[2]), token)
  redis.call('PEXPIRE', queue, ${QUEUE_TTL})
  if redis.call('GET', chain) ~= '${LEFT_FREE}' then redis.call('PEXPIRE', chain, ${CHAIN_TTL}) end
end
local ours = (isLeftFree or string.sub(holder, 1, ${TOKEN_PREFIX.length}) == '${TOKEN_PREFIX}') and 1 or 0
return { 0, redis.call('PTTL', isLeftFree and chain or lock), ours, added, time[1] * 1000 + math.floor(time[2] / 1000) }
`)
