/**
 * Lua function: publishes to the inbox of every waiting process and forgets them. An unreachable inbox is no error:
 * its process has a timer behind the message. The address of one that listens to this shard begins with a hash tag: only
 * this node and its replicas hear of it, where PUBLISH goes to every node of the Cluster.
 */
export const wakeWaiters: string = `
local function wakeWaiters(waiters, topic, payload)
  local inboxes = redis.call('SMEMBERS', waiters)
  if #inboxes == 0 then return end
  local message = #topic .. ':' .. topic .. payload
  for _, inbox in ipairs(inboxes) do
    local publish = string.sub(inbox, 1, 1) == '{' and 'SPUBLISH' or 'PUBLISH'
    redis.pcall(publish, 'herdlock:inbox:' .. inbox, message)
  end
  redis.call('DEL', waiters)
end
`
