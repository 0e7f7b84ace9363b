import { tell } from './tell.ts'

/** ms for which a waiter gets the lock before it shows that it is alive: the delay that a frozen waiter causes. */
export const GRANT = 1000

/**
 * Lua function `handOff(lock, queue, counts, own)`: passes a lock that its holder gives up, or that has lapsed, to the
 * first waiter that can be reached. Call it only if the caller or nobody has the lock.
 *
 *     counts  see `tell`, which comes with it; a waiter's topic is its token
 *     own     a token whose turn ends the search without a message, or nil
 *
 * Returns the token whose turn it is: `own`, for which the caller sets the lock, or another, which has the lock for
 * GRANT ms and was sent the time in ms on Redis's clock at which that ends. Returns nil if nobody waits, or if nobody can be
 * told because the caller may not publish.
 */
export const handOff: string = `
${tell}
local function handOff(lock, queue, counts, own)
  while true do
    local token = redis.call('ZPOPMIN', queue)[1]
    if not token or token == own then return token end
    redis.call('SET', lock, token, 'PX', ${GRANT})
    local time = redis.call('TIME')
    local untilMs = time[1] * 1000 + math.floor(time[2] / 1000) + ${GRANT}
    local isReached = tell(token, token, string.format('%.0f', untilMs), counts)
    if isReached == nil then return nil end
    if isReached then return token end
  end
end
`
