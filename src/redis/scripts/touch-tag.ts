/**
 * Lua function that keeps a tag's key alive as long as any entry has the tag. The key holds the instant, in µs on
 * Redis's clock, of the tag's last invalidation, 0 for none.
 *
 *     touchTag(key, ms)                   the tag is needed for ms at least; returns the instant
 */
export const touchTag: string = `
local function touchTag(key, ms)
  redis.call('SET', key, 0, 'NX', 'PX', ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
  return redis.call('GET', key)
end
`
