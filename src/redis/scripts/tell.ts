/** How every token of ours begins. What follows is the id of the inbox where its owner is told of what concerns it. */
export const TOKEN_PREFIX = 'herdlock:'

/**
 * Lua function `inboxOf(token)`: the id of its owner's inbox, '' of what is no token of ours.
 *
 * Lua function `tell(token, topic, payload, counts)`: sends the owner of a token a message.
 *
 *     counts  whether PUBLISH counts every subscriber; on a Cluster it counts those of one node only
 *
 * Returns whether the owner can be reached, as far as is known; nil when the caller may not publish.
 */
export const tell: string = `
local function inboxOf(token)
  return string.match(token, '^${TOKEN_PREFIX}([^:]*):') or ''
end
local function tell(token, topic, payload, counts)
  local receivers = redis.pcall('PUBLISH', 'herdlock:inbox:' .. inboxOf(token), #topic .. ':' .. topic .. payload)
  if type(receivers) == 'table' then return nil end
  return receivers > 0 or not counts
end
`
