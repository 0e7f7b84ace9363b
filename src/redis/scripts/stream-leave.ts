import { defineScript, type Script } from '../script.ts'
import { tell } from './tell.ts'

/**
 * A process reads a run of a stream no more. If it was the last, the producer is told.
 *
 *     KEYS  1 readers
 *     ARGV  1 inbox   2 token of the run   3 topic of the message to the producer
 */
export const streamLeave: Script = defineScript(`
${tell}
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 and redis.call('ZCARD', KEYS[1]) == 0 then tell(ARGV[2], ARGV[3], '', true) end
return 1
`)
