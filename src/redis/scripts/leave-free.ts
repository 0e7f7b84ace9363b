/** ms for which a lock is left free for clients that only poll: a little more than one of their pauses, which are 50 ms. */
const FREE_FOR = 60

/** Beginning of a message that tells a waiter after how many ms to look. */
export const LOOK_AFTER = 'look:'

/** ms after which a chain of hand-overs is forgotten if nobody looks at it: twice the longest pause between two looks. */
export const CHAIN_TTL = 5000

/** Lua: the value of the chain's key while the lock is left free. */
export const LEFT_FREE = 'free'

/**
 * Lua functions for a lock with a queue when its holder gives it up. They need `tell`, which comes with `handOff`.
 *
 *     chain  holds the time in ms on Redis's clock at which the lock must be left free, or LEFT_FREE while it is; the
 *            waiters keep it
 *
 * `leaveFree(lock, queue, chain, counts)`: if hand-overs have followed each other for too long without a break, leaves the
 * lock free for FREE_FOR ms, so that clients that poll can get it. The first in the queue is told to look after that, and
 * nobody loses a place. Returns whether the lock is left free.
 *
 * `tellFirst(queue, counts)`: tells the first waiter that can be reached to look when the lock is no longer left free.
 * Returns whether anybody waits.
 *
 * `beginChain(chain, yieldAfter)`: called after a hand-over; notes when the lock must be left free, unless that is known.
 */
export const leaveFree: string = `
local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function tellFirst(queue, counts)
  while true do
    local first = redis.call('ZRANGE', queue, 0, 0)[1]
    if not first then return false end
    if tell(first, first, '${LOOK_AFTER}${FREE_FOR}', counts) ~= false then return true end
    redis.call('ZREM', queue, first)
  end
end
local function leaveFree(lock, queue, chain, counts)
  local due = tonumber(redis.call('GET', chain))
  if not due or nowMs() < due or not tellFirst(queue, counts) then return false end
  redis.call('DEL', lock)
  redis.call('SET', chain, '${LEFT_FREE}', 'PX', ${FREE_FOR})
  return true
end
local function beginChain(chain, yieldAfter)
  if tonumber(redis.call('GET', chain)) then return end
  redis.call('SET', chain, string.format('%.0f', nowMs() + yieldAfter), 'PX', ${CHAIN_TTL})
end
`
