import { spreadInLua } from '../spread.ts'

/**
 * Lua functions that read and write the format described in `store/envelope.ts`.
 *
 *     isEnvelope(value)             whether the value begins like an envelope
 *     freshUntilOf(value)           the end of its ttl
 *     isUntagged(value)             whether it has no tags
 *     tagsOf(value)                 its tags, a list of pairs of a name and the start of the load; nil if damaged
 *     usableUntil(value)            the end of the longer of its windows
 *     isUsable(value, now)          whether it is a value that is not past its windows
 *     isFailure(value)              whether it is a remembered failure
 *     endByTags(value, tagKeys, valueKey)
 *                                   the time in ms at which its tags end its ttl, infinite if they do not; nil if one was
 *                                   invalidated since its load began. `tagKeys`: how the keys of tags begin. A tag whose
 *                                   key is gone counts as invalidated: unless evicted, the key exists as long as an entry
 *                                   has the tag.
 *     endedAt(value, instant)       the value, its ttl ended at that time if not before; its windows follow from there
 *     timed(value, now, life)       the value with its times: fresh from `now`, ms on this clock, by `life`, which is
 *                                   a text of three durations in ms: ttl, staleWhileRevalidate, staleIfError
 */
export const entryHeader: string = `
${spreadInLua}
local function isEnvelope(value)
  return type(value) == 'string' and string.sub(value, 1, 3) == 'hl1' and #value >= 64 and tonumber(string.sub(value, 6, 18)) ~= nil
end
local function freshUntilOf(value)
  return tonumber(string.sub(value, 6, 18))
end
local function isUntagged(value)
  return string.sub(value, 59, 63) == '00000'
end
local function tagsOf(value)
  local read, tags = pcall(cjson.decode, string.sub(value, 65, 64 + (tonumber(string.sub(value, 59, 63)) or 0)))
  return read and type(tags) == 'table' and tags or nil
end
local function usableUntil(value)
  return math.max(freshUntilOf(value), tonumber(string.sub(value, 20, 32)), tonumber(string.sub(value, 34, 46)))
end
local function isUsable(value, now)
  return isEnvelope(value) and string.sub(value, 4, 4) == 'v' and usableUntil(value) > now
end
local function isFailure(value)
  return string.sub(value, 4, 4) == 'f'
end
local function endByTags(value, tagKeys, valueKey)
  local tags = tagsOf(value)
  if not tags then return nil end
  local ends = math.huge
  for _, tag in ipairs(tags) do
    local invalidatedAt, expiries = string.match(redis.call('GET', tagKeys .. tag[1] .. '}') or '', '^(%d+)(.*)$')
    if not invalidatedAt or tonumber(invalidatedAt) >= tag[2] then return nil end
    for expiredAt, over in string.gmatch(expiries, ' (%d+) (%d+)') do
      if tonumber(expiredAt) >= tag[2] then
        ends = math.min(ends, math.floor(expiredAt / 1000) + spread(valueKey, tonumber(over)))
      end
    end
  end
  return ends
end
local function withInstants(value, freshUntil, staleUntil, errorUntil)
  local instants = string.format('%013.0f %013.0f %013.0f', freshUntil, staleUntil, errorUntil)
  return string.sub(value, 1, 5) .. instants .. string.sub(value, 47)
end
local function endedAt(value, instant)
  local earlier = freshUntilOf(value) - instant
  if earlier <= 0 then return value end
  return withInstants(value, instant, string.sub(value, 20, 32) - earlier, string.sub(value, 34, 46) - earlier)
end
local function timed(value, now, life)
  local ttl, whileRevalidate, ifError = string.match(life, '(%d+) (%d+) (%d+)')
  local freshUntil = now + ttl
  return withInstants(value, freshUntil, freshUntil + whileRevalidate, freshUntil + ifError)
end
`
