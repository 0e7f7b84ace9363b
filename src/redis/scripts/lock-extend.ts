import { defineScript, type Script } from '../script.ts'

/**
 * Sets the time that locks have left, each only while the token has it: a lapsed lock is never created again. A call that
 * may not shorten leaves a longer time as it is, so however late it runs, it takes nothing from the lock.
 *
 *     KEYS  the locks
 *     ARGV  for each lock   token   ms of ttl   '1' if it may shorten
 *
 * Replies for each lock 1, or 0 if the token did not have it.
 */
export const lockExtend: Script = defineScript(`
local reply = {}
for i, lock in ipairs(KEYS) do
  local token, ttl, shortens = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i] == '1'
  local isHeld = redis.call('GET', lock) == token
  if isHeld and (shortens or redis.call('PTTL', lock) <= tonumber(ttl)) then redis.call('PEXPIRE', lock, ttl) end
  reply[i] = isHeld and 1 or 0
end
return reply
`)
