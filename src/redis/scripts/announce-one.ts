import { defineScript, type Script } from '../script.ts'
import { announcing } from './announce.ts'

/**
 * Tells every process of a change that was already made.
 *
 *     ARGV  1 to 4 channel, joined, counter and parts, see `announcing`   5 message   6 its part
 *
 * Replies 1.
 */
export const announceOne: Script = defineScript(`
${announcing}
announce(ARGV[1], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
return 1
`)
