import { defineScript, type Script } from '../script.ts'
import { announcing } from './announce.ts'

/**
 * Invalidates all entries that have one of the tags and were loaded, or began to be loaded, before now.
 *
 *     KEYS  the tags
 *     ARGV  1 ms for which loads that run now may last   2 to 5 channel, joined, counter and parts, see `announcing`
 *           6… a message for each tag
 *
 * Replies 1.
 */
export const invalidateTags: Script = defineScript(`
${announcing}
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
for _, tag in ipairs(KEYS) do
  local lives = math.max(redis.call('PTTL', tag), tonumber(ARGV[1]))
  redis.call('SET', tag, now, 'PX', lives)
end
announceAll(ARGV[2], ARGV[3], ARGV[4], ARGV[5], { unpack(ARGV, 6) }, {})
return 1
`)
