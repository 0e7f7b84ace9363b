import { defineScript, type Script } from '../script.ts'

/**
 * Invalidates all entries that have a tag and were loaded, or began to be loaded, before now.
 *
 *     KEYS  1 tag
 *     ARGV  1 ms for which loads that run now may last   2 channel of the backplane   3 message for it
 *
 * Replies 1.
 */
export const invalidateTag: Script = defineScript(`
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local lives = math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', lives)
redis.pcall('PUBLISH', ARGV[2], ARGV[3])
return 1
`)
