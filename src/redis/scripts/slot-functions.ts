import { tell } from './tell.ts'

/** Beginning of the topic of a message about a slot. The token follows. */
export const SLOT_TOPIC = 'slot:'

/** ms for which the keys outlive their content. */
export const KEPT = 60_000

/**
 * Lua function `slotsOf(held, line, ttl, rules)`: the slots in which loads run, and the line of loads that wait for one.
 *
 *     held, line  keys, see `redis/slot-keys.ts`
 *     ttl         ms for which a slot is held
 *     rules       index in ARGV of   slots that may be held at once   '1' if PUBLISH counts every subscriber (on a
 *                 Cluster it counts only those of one node)   channel of the backplane   channel of those who listen to
 *                 parts of it, or ''   beginning of a message for both, which ends in the inbox of a process that is gone
 *
 * First, slots whose time is over are taken back. A process that lets one run out, or cannot be reached, counts as dead or
 * frozen: its places go, too, and the processes that wait for its loads are told. If it is alive, it notices and lines up
 * again. Returns a table of functions:
 *
 *     handOn()              gives free slots to the first in line, each told by a message
 *     want(token, mayWait)  returns 1 if the token has a slot; otherwise about its place in line: 0 it had one, 2 it has one
 *                           now, 3 it may not wait
 *     keep(token)           the token's slot lasts the whole ttl from now on, even if it was taken back: its load runs
 *     leave(token)          ends what the token has
 *     figures()             returns the slots that are held, the length of the line, and the ms until the first slot ends
 */
export const slotFunctions: string = `
${tell}
local function slotsOf(held, line, ttl, rules)
  local max, counts, channel, parted, message = tonumber(ARGV[rules]), ARGV[rules + 1] == '1', ARGV[rules + 2], ARGV[rules + 3], ARGV[rules + 4]
  local time = redis.call('TIME')
  local now, arrival = time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
  local function forget(inboxes)
    for _, token in ipairs(redis.call('ZRANGE', line, 0, -1)) do
      if inboxes[inboxOf(token)] then redis.call('ZREM', line, token) end
    end
    for inbox in pairs(inboxes) do
      redis.pcall('PUBLISH', channel, message .. inbox)
      if parted ~= '' then redis.pcall('PUBLISH', parted, message .. inbox) end
    end
  end
  local over = redis.call('ZRANGEBYSCORE', held, '-inf', now)
  if #over > 0 then
    local inboxes = {}
    for _, token in ipairs(over) do
      redis.call('ZREM', held, token)
      inboxes[inboxOf(token)] = true
    end
    forget(inboxes)
  end
  local slots = {}
  function slots.keep(token)
    redis.call('ZADD', held, string.format('%.0f', now + ttl), token)
    redis.call('PEXPIRE', held, ttl + ${KEPT})
  end
  function slots.leave(token)
    if redis.call('ZREM', held, token) == 0 then redis.call('ZREM', line, token) end
  end
  function slots.handOn()
    local room = max - redis.call('ZCARD', held)
    while room > 0 do
      local first = redis.call('ZPOPMIN', line)
      local token = first[1]
      if not token then return end
      local isReached = tell(token, '${SLOT_TOPIC}' .. token, '', counts)
      if isReached == nil then
        redis.call('ZADD', line, first[2], token) -- nobody can be told: who looks finds the free slot
        return
      end
      if isReached then
        slots.keep(token)
        room = room - 1
      else
        forget({ [inboxOf(token)] = true })
      end
    end
  end
  function slots.want(token, mayWait)
    if redis.call('ZSCORE', held, token) then return 1 end
    if redis.call('ZCARD', held) < max then
      redis.call('ZREM', line, token)
      slots.keep(token)
      return 1
    end
    if not mayWait then return 3 end
    arrival = arrival + 1
    local added = redis.call('ZADD', line, 'NX', string.format('%.0f', arrival), token)
    redis.call('PEXPIRE', line, ttl + ${KEPT})
    return 2 * added
  end
  function slots.figures()
    local first = redis.call('ZRANGE', held, 0, 0, 'WITHSCORES')[2]
    return { redis.call('ZCARD', held), redis.call('ZCARD', line), first and math.max(first - now, 0) or -1 }
  end
  return slots
end
`
