import { defineScript, type Script } from '../script.ts'

/**
 * Invalidates all entries that have one of the tags and were loaded, or began to be loaded, before now.
 *
 *     KEYS  the tags
 *     ARGV  1 ms for which loads that run now may last   2 channel of the backplane   3… a message for it for each tag
 *
 * Replies 1.
 */
export const invalidateTags: Script = defineScript(`
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
for i, tag in ipairs(KEYS) do
  local lives = math.max(redis.call('PTTL', tag), tonumber(ARGV[1]))
  redis.call('SET', tag, now, 'PX', lives)
  redis.pcall('PUBLISH', ARGV[2], ARGV[i + 2])
end
return 1
`)
