/**
 * First letter of a message that tells a waiter to look for itself. It may be followed by the number of ms over which such
 * waiters spread.
 */
export const AGAIN = 'a'

/** Most bytes that the waiters of one key get or fetch at once. More would keep Redis busy for too long. */
const AT_ONCE = 4 * 1024 * 1024
/** Bytes per ms that later waiters fetch. */
const PACE = 200 * 1024

/**
 * Lua function `wakeWaiters(waiters, topic, payload, found)`: publishes to the inbox of every waiting process and forgets
 * them.
 *
 *     payload  the message for them
 *     found    bytes that processes find if they look for themselves, 0 if there is nothing to find
 *
 * If very many processes wait for a value, only some get it in the message. The others are told to look, spread over some
 * time. If the value is too large for a message, all are told so.
 *
 * An unreachable inbox is no error: its process also has a timer. The address of an inbox that listens to this shard begins
 * with a hash tag. Messages to it reach only this node and its replicas, while PUBLISH goes to every node of the Cluster.
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
