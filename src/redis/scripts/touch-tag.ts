/**
 * Lua functions for the key of a tag. It holds the time of the tag's last invalidation, 0 for none, and then, for each
 * expiry since, oldest first, its time and the ms over which entries expire: `0 1763972400000000 60000`. Times are in µs on
 * Redis's clock.
 *
 *     lastChangeOf(text)     the time of the last invalidation or expiry in the text
 *     touchTag(key, ms)      keeps the tag for at least `ms`; returns the time of its last change, 0 for none
 */
export const touchTag: string = `
local function lastChangeOf(text)
  return tonumber(string.match(text, '(%d+) %d+$') or string.match(text, '^%d+$'))
end
local function touchTag(key, ms)
  redis.call('SET', key, 0, 'NX', 'PX', ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
  return lastChangeOf(redis.call('GET', key))
end
`
