/**
 * First letter of a message that tells a waiter to look for itself. What follows, if anything, is the number of ms over
 * which those who are told so spread.
 */
export const AGAIN = 'a'

/** Bytes that the waiters of one key are sent, or fetch, at once: with more Redis would serve nobody else for too long. */
const AT_ONCE = 4 * 1024 * 1024
/** Bytes a ms that those fetch who come later. */
const PACE = 200 * 1024

/**
 * Lua function `wakeWaiters(waiters, topic, payload, found)`: publishes to the inbox of every waiting process and forgets
 * them.
 *
 *     payload  what they are told
 *     found    bytes of what those find who look for themselves, 0 where there is nothing to be found
 *
 * Of a value for very many only some get it in the message. The others are told to look, spread over some time, as all
 * are where it is too large for a message.
 *
 * An unreachable inbox is no error: its process has a timer behind the message. The address of one that listens to this
 * shard begins with a hash tag: only this node and its replicas hear of it, where PUBLISH goes to every node of the Cluster.
 */
export const wakeWaiters: string = `
local function wakeWaiters(waiters, topic, payload, found)
  local inboxes = redis.call('SMEMBERS', waiters)
  if #inboxes == 0 then return end
  local head = #topic .. ':' .. topic
  local message, look, direct = head .. payload, head .. '${AGAIN}', #inboxes
  local excess = #inboxes * found - ${AT_ONCE}
  if excess > 0 then
    look = look .. math.ceil(excess / ${PACE})
    direct = payload == '${AGAIN}' and 0 or math.floor(${AT_ONCE} / found)
  end
  for i, inbox in ipairs(inboxes) do
    local publish = string.sub(inbox, 1, 1) == '{' and 'SPUBLISH' or 'PUBLISH'
    redis.pcall(publish, 'herdlock:inbox:' .. inbox, i <= direct and message or look)
  end
  redis.call('DEL', waiters)
end
`
