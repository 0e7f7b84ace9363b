import { defineScript, type Script } from '../script.ts'
import { handOff } from './hand-off.ts'
import { leaveFree } from './leave-free.ts'

/**
 * Ends what a token has: the lock, which goes to the first waiter or becomes free, or its place in the queue.
 *
 *     KEYS  1 lock   2 queue   3 chain
 *     ARGV  1 token   2 '1' if PUBLISH counts every subscriber
 *           3 ms of hand-overs without a break after which the lock is left free for a moment, '' for never
 *
 * Replies 1 if the token had the lock, otherwise 0.
 */
export const lockRelease: Script = defineScript(`
local lock, queue, chain, token, counts = KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2] == '1'
local holder = redis.call('GET', lock)
if holder == token and redis.call('EXISTS', queue) == 0 then
  redis.call('DEL', lock, chain)
  return 1
end
${handOff}
${leaveFree}
if holder == token then
  local yieldAfter = tonumber(ARGV[3])
  if yieldAfter and leaveFree(lock, queue, chain, counts) then return 1 end
  if not handOff(lock, queue, counts) then
    redis.call('DEL', lock, chain)
  elseif yieldAfter then
    beginChain(chain, yieldAfter)
  end
  return 1
end
local first = redis.call('ZRANGE', queue, 0, 0)[1]
redis.call('ZREM', queue, token)
if first == token and not holder then tellFirst(queue, counts) end
return 0
`)
