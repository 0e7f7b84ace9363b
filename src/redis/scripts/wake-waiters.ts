/**
 * Lua function: publishes to the inbox of every waiting process and forgets them. An unreachable inbox is no error:
 * its process has a timer behind the message.
 */
export const wakeWaiters: string = `
local function wakeWaiters(waiters, topic, payload)
  local inboxes = redis.call('SMEMBERS', waiters)
  if #inboxes == 0 then return end
  local message = #topic .. ':' .. topic .. payload
  for _, inbox in ipairs(inboxes) do redis.pcall('PUBLISH', 'herdlock:inbox:' .. inbox, message) end
  redis.call('DEL', waiters)
end
`
