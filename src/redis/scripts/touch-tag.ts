/**
 * Lua functions that keep a tag's key alive as long as any entry has the tag. The key holds the instant, in ms on
 * Redis's clock, of the tag's last invalidation, 0 for none.
 *
 *     touchTag(key, ms)                   the tag is needed for ms at least; returns the instant
 *     touchTagsOf(bytes, tagKeys, ms)     the same for all tags of an envelope
 */
export const touchTag: string = `
local function touchTag(key, ms)
  redis.call('SET', key, 0, 'NX', 'PX', ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
  return redis.call('GET', key)
end
local function touchTagsOf(bytes, tagKeys, ms)
  for _, tag in ipairs(cjson.decode(string.sub(bytes, 79, 78 + tonumber(string.sub(bytes, 73, 77))))) do
    touchTag(tagKeys .. tag .. '}', ms)
  end
end
`
