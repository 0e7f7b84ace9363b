import { defineScript, type Script } from '../script.ts'
import { tell } from './tell.ts'

/**
 * Notes that a process no longer reads a run of a stream. If it was the last one, the producer is told.
 *
 *     KEYS  1 readers
 *     ARGV  1 inbox   2 token of the run   3 topic of the message to the producer
 */
export const streamLeave: Script = defineScript(`
${tell}
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 and redis.call('ZCARD', KEYS[1]) == 0 then tell(ARGV[2], ARGV[3], '', true) end
return 1
`)
