import { defineScript, type Script } from '../script.ts'
import { announcing } from './announce.ts'

/**
 * Tells every process of a change that was already made.
 *
 *     ARGV  1 channel of the backplane   2 key of the last number   3 message
 *
 * Replies 1.
 */
export const announceOne: Script = defineScript(`
${announcing}
announce(ARGV[1], ARGV[2], ARGV[3])
return 1
`)
