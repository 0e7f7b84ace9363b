import { defineScript, type Script } from '../script.ts'
import { touchTag } from './touch-tag.ts'

/**
 * Prepares the key of one tag of an entry that is about to be stored.
 *
 *     KEYS  1 tag
 *     ARGV  1 ms for which an entry with the tag may live
 *
 * Replies { changed, now }: the time of the tag's last invalidation or expiry, 0 for none, and the current time, in µs on
 * Redis's clock.
 */
export const needTag: Script = defineScript(`
${touchTag}
local time = redis.call('TIME')
return { touchTag(KEYS[1], tonumber(ARGV[1])), time[1] * 1000000 + time[2] }
`)
