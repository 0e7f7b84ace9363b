/** Beginning of all our tokens. The id of the owner's inbox follows, which gets messages about the token. */
export const TOKEN_PREFIX = 'herdlock:'

/**
 * Lua function `inboxOf(token)`: the id of its owner's inbox, '' if the token is not ours.
 *
 * Lua function `tell(token, topic, payload, counts)`: sends the owner of a token a message.
 *
 *     counts  whether PUBLISH counts every subscriber; on a Cluster it counts only those of one node
 *
 * Returns whether the owner can be reached, as far as is known; nil if the caller may not publish.
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
