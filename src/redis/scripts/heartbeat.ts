import { defineScript, type Script } from '../script.ts'

/**
 * Publishes to a channel of the shard that this runs on, in the same way as the results of refills.
 *
 *     KEYS  1 any key in the slot of the channel
 *     ARGV  1 channel   2 message
 */
export const heartbeat: Script = defineScript(`return redis.call('SPUBLISH', ARGV[1], ARGV[2])`)
