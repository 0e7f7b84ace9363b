import { defineScript, type Script } from '../script.ts'
import { touchTag } from './touch-tag.ts'

/**
 * On a Cluster, where a tag's key lies in another slot than the entry: sees to the key of one tag of an entry that is
 * about to be stored.
 *
 *     KEYS  1 tag
 *     ARGV  1 ms for which an entry with the tag may live
 *
 * Replies the instant of the tag's last invalidation in ms on Redis's clock, 0 for none.
 */
export const needTag: Script = defineScript(`
${touchTag}
return touchTag(KEYS[1], tonumber(ARGV[1]))
`)
