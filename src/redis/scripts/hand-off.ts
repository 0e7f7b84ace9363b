/** ms for which a waiter gets the lock before it has said that it is there: what a frozen waiter costs those behind it. */
export const GRANT = 1000

/** How every token of ours begins. What follows is the id of the inbox where its owner is told of a hand-off. */
export const TOKEN_PREFIX = 'herdlock:'

/**
 * Lua function `tell(token, payload, counts)`: sends a waiter a message under its own topic.
 *
 *     counts  whether PUBLISH counts every subscriber; on a Cluster it counts those of one node only
 *
 * Returns whether the waiter can be reached, as far as is known; nil when the caller may not publish.
 *
 * Lua function `handOff(lock, queue, counts, own)`: passes a lock that its holder gives up, or that has lapsed, to the
 * first waiter that can be reached. To be called only where the lock is the caller's or nobody's.
 *
 *     counts  as above
 *     own     a token whose turn ends the search without a message, or nil
 *
 * Returns the token whose turn it is: `own`, for which the caller sets the lock, or another, which has the lock for
 * GRANT ms and was sent the ms on Redis's clock at which that ends. Returns nil when nobody waits, or nobody can be told
 * because the caller may not publish.
 */
export const handOff: string = `
local function tell(token, payload, counts)
  local inbox = string.match(token, '^${TOKEN_PREFIX}([^:]*):') or ''
  local receivers = redis.pcall('PUBLISH', 'herdlock:inbox:' .. inbox, #token .. ':' .. token .. payload)
  if type(receivers) == 'table' then return nil end
  return receivers > 0 or not counts
end
local function handOff(lock, queue, counts, own)
  while true do
    local token = redis.call('ZPOPMIN', queue)[1]
    if not token or token == own then return token end
    redis.call('SET', lock, token, 'PX', ${GRANT})
    local time = redis.call('TIME')
    local untilMs = time[1] * 1000 + math.floor(time[2] / 1000) + ${GRANT}
    local isReached = tell(token, string.format('%.0f', untilMs), counts)
    if isReached == nil then return nil end
    if isReached then return token end
  end
end
`
