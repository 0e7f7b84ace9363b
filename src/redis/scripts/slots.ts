import { defineScript, type Script } from '../script.ts'
import { KEPT, slotFunctions } from './slot-functions.ts'

/**
 * Ends, extends and takes slots in which loads run. Slots that are free after the first two go to the loads in line.
 *
 *     KEYS  1 held   2 line
 *     ARGV  1 to 5 rules, see `slotFunctions`   6 ms for which a slot is held
 *           7 '1' if tokens that find no slot may wait in line   8 how many tokens to end   9 how many to extend
 *           the tokens to end, those to extend, those that want a slot
 *
 * Replies { held, length of the line, ms until the first slot ends or -1, and for each token that wants a slot its state }:
 *     1  it has one   0  it waits in line   2  it waits, and did not before   3  there is none, and it does not wait
 */
export const slots: Script = defineScript(`
${slotFunctions}
local ttl, mayWait, ending, extending = tonumber(ARGV[6]), ARGV[7] == '1', tonumber(ARGV[8]), tonumber(ARGV[9])
local slots = slotsOf(KEYS[1], KEYS[2], ttl, 1)
for i = 10, 9 + ending do slots.leave(ARGV[i]) end
for i = 10 + ending, 9 + ending + extending do slots.keep(ARGV[i]) end
slots.handOn()
local states = {}
for i = 10 + ending + extending, #ARGV do states[#states + 1] = slots.want(ARGV[i], mayWait) end
redis.call('PEXPIRE', KEYS[2], ttl + ${KEPT})
local reply = slots.figures()
for _, state in ipairs(states) do reply[#reply + 1] = state end
return reply
`)
