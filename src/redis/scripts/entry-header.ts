/**
 * Lua functions that read and write what `store/envelope.ts` describes.
 *
 *     isEnvelope(value)             whether the value begins as an envelope does
 *     freshUntilOf(value)           the end of its ttl
 *     isUntagged(value)             whether it has no tags
 *     tagsOf(value)                 its tags, a list of pairs of a name and the begin of the load; nil if damaged
 *     areTagsValid(value, tagKeys)  whether none of its tags was invalidated since its load began; `tagKeys` is what
 *                                   the keys of tags begin with. A tag whose key is gone counts as invalidated: it is
 *                                   there as long as an entry has the tag, but for eviction.
 *     timed(value, now, life)       the value with its instants: fresh from `now`, ms on this clock, by `life`, which is
 *                                   a text of three durations in ms: ttl, staleWhileRevalidate, staleIfError
 */
export const entryHeader: string = `
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
local function areTagsValid(value, tagKeys)
  local tags = tagsOf(value)
  if not tags then return false end
  for _, tag in ipairs(tags) do
    local invalidatedAt = tonumber(redis.call('GET', tagKeys .. tag[1] .. '}') or '')
    if not invalidatedAt or invalidatedAt >= tag[2] then return false end
  end
  return true
end
local function timed(value, now, life)
  local ttl, whileRevalidate, ifError = string.match(life, '(%d+) (%d+) (%d+)')
  local freshUntil = now + ttl
  local instants = string.format('%013.0f %013.0f %013.0f', freshUntil, freshUntil + whileRevalidate, freshUntil + ifError)
  return string.sub(value, 1, 5) .. instants .. string.sub(value, 47)
end
`
