/**
 * Lua functions that read what `store/envelope.ts` describes.
 *
 *     isEnvelope(value)             whether the value begins as an envelope does
 *     instantOf(value, which)       1 end of ttl, 2 of staleWhileRevalidate, 3 of staleIfError, 4 begin of the load
 *     isUntagged(value)             whether it has no tags
 *     areTagsValid(value, tagKeys)  whether none of its tags was invalidated since its load began; `tagKeys` is what
 *                                   the keys of tags begin with. A tag whose key is gone counts as invalidated: it is
 *                                   there as long as an entry has the tag, but for eviction.
 */
export const entryHeader: string = `
local function isEnvelope(value)
  return type(value) == 'string' and string.sub(value, 1, 3) == 'hl1' and #value >= 78 and tonumber(string.sub(value, 6, 18)) ~= nil
end
local function instantOf(value, which)
  return tonumber(string.sub(value, which * 14 - 8, which * 14 + 4))
end
local function isUntagged(value)
  return string.sub(value, 73, 77) == '00000'
end
local function areTagsValid(value, tagKeys)
  local read, tags = pcall(cjson.decode, string.sub(value, 79, 78 + tonumber(string.sub(value, 73, 77))))
  if not read then return false end
  for _, tag in ipairs(tags) do
    local invalidatedAt = tonumber(redis.call('GET', tagKeys .. tag .. '}') or '')
    if not invalidatedAt or invalidatedAt >= instantOf(value, 4) then return false end
  end
  return true
end
`
