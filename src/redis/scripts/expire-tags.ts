import { defineScript, type Script } from '../script.ts'
import { announcing } from './announce.ts'

/** How many expiries of a tag are remembered. */
const REMEMBERED = 8

/**
 * Ends the ttl of all entries that have one of the tags and were loaded before now: at once, or each at its own moment
 * within some time. Loads that run now are not stored. If the key of a tag is gone, no entry has the tag, unless the key was
 * evicted. So everything older counts as invalidated, as before.
 *
 * If there are more expiries than are remembered, the oldest is forgotten. The next one then counts as already over, which
 * ends what the oldest would have ended.
 *
 *     KEYS  the tags
 *     ARGV  1 ms for which loads that run now may last   2 ms over which entries expire
 *           3 to 6 channel, joined, counter and parts, see `announcing`   7… a message for each tag
 *
 * Replies 1.
 */
export const expireTags: Script = defineScript(`
${announcing}
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function instant(micros) return string.format('%.0f', micros) end

local function withExpiry(text)
  local invalidatedAt, expiries = string.match(text or instant(now), '^(%d+)(.*)$')
  local kept = {}
  for at, over in string.gmatch(expiries, ' (%d+) (%d+)') do kept[#kept + 1] = { at, over } end
  kept[#kept + 1] = { instant(now), ARGV[2] }
  if #kept > ${REMEMBERED} then
    table.remove(kept, 1)
    kept[1][2] = instant(math.min(tonumber(kept[1][2]), math.floor((now - kept[1][1]) / 1000)))
  end
  for i, expiry in ipairs(kept) do kept[i] = ' ' .. expiry[1] .. ' ' .. expiry[2] end
  return invalidatedAt .. table.concat(kept)
end

for _, tag in ipairs(KEYS) do
  local lives = math.max(redis.call('PTTL', tag), tonumber(ARGV[1]))
  redis.call('SET', tag, withExpiry(redis.call('GET', tag)), 'PX', lives)
end
announceAll(ARGV[3], ARGV[4], ARGV[5], ARGV[6], { unpack(ARGV, 7) }, {})
return 1
`)
