import { defineScript, type Script } from '../script.ts'
import { handOff } from './hand-off.ts'

/**
 * Ends whatever a token has: the lock, which goes to the first waiter or becomes free; or its place in the queue.
 *
 *     KEYS  1 lock   2 queue
 *     ARGV  1 token   2 '1' where PUBLISH counts every subscriber
 *
 * Replies 1 when the lock was the token's, else 0.
 */
export const lockRelease: Script = defineScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 0
end
${handOff}
if not handOff(KEYS[1], KEYS[2], ARGV[2] == '1') then redis.call('DEL', KEYS[1]) end
return 1
`)
