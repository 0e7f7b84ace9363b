/** ms for which the number of announced changes is remembered. When it is forgotten, all listeners treat that as a loss. */
const NUMBER_LIVES = 24 * 60 * 60 * 1000

/** Position of the number in a message of the backplane, in characters, and its length in hexadecimal digits. */
export const NUMBER_AT = 9
export const NUMBER_LENGTH = 13

/** Follows sender and number in a message with several changes. Before each change stand its length and a colon. */
export const JOINED = 'j'

/** The part of messages that concern every key. */
export const EVERY_PART = 'all'

/**
 * Lua functions that tell every process of changes. Most processes listen to the channel. Those that hear only of keys that
 * they hold listen to parts of it: the one for every key, and those of their keys. The messages of a channel, and of a part,
 * have consecutive numbers, so that listeners notice when one is missing. The first number is a time, so that they also
 * notice when the last number was forgotten.
 *
 *     channel  of the backplane
 *     joined   channel of messages with several changes; '' if there are none
 *     counter  key of the last number; '' if messages have none
 *     parts    how the names of the parts' channels begin; '' if nobody listens to parts
 *
 * `announce(channel, counter, parts, message, part)`: one change.
 *
 * `announceAll(channel, joined, counter, parts, messages, partOf)`: several changes of one sender, in one message if all
 * listeners accept that. Processes of earlier releases do not: they listen only to the channel. `partOf`: the part of each
 * message; those without one concern every key.
 */
export const announcing: string = `
local function withNumber(message, number, keepFirst)
  if type(number) ~= 'number' then return message end
  if number == 1 then
    local time = redis.call('TIME')
    number = time[1] * 1000000 + time[2]
    keepFirst(string.format('%.0f', number))
  end
  local digits = string.format('%0${NUMBER_LENGTH}x', number)
  return string.sub(message, 1, ${NUMBER_AT}) .. digits .. string.sub(message, ${NUMBER_AT + NUMBER_LENGTH + 1})
end
local function tellAll(channel, counter, message)
  if counter ~= '' then
    message = withNumber(message, redis.pcall('INCR', counter), function(first) redis.call('SET', counter, first) end)
    redis.pcall('PEXPIRE', counter, ${NUMBER_LIVES})
  end
  redis.pcall('PUBLISH', channel, message)
end
local function areParted(counter, parts)
  if parts == '' or counter == '' then return parts ~= '' end
  local listening = redis.pcall('PUBSUB', 'NUMSUB', parts .. '${EVERY_PART}')
  return listening.err ~= nil or listening[2] > 0
end
local function tellPart(counter, parts, message, part)
  if counter ~= '' then
    local numbers = counter .. ':parts'
    message = withNumber(message, redis.pcall('HINCRBY', numbers, part, 1), function(first) redis.pcall('HSET', numbers, part, first) end)
    redis.pcall('PEXPIRE', numbers, ${NUMBER_LIVES})
  end
  redis.pcall('PUBLISH', parts .. part, message)
end
local function announce(channel, counter, parts, message, part)
  tellAll(channel, counter, message)
  if areParted(counter, parts) then tellPart(counter, parts, message, part) end
end
local function areJoinedTaken(channel, joined)
  if joined == '' then return false end
  local listening = redis.pcall('PUBSUB', 'NUMSUB', channel, joined)
  return not listening.err and listening[2] == listening[4]
end
local function announceAll(channel, joined, counter, parts, messages, partOf)
  if #messages == 0 then return end
  if areParted(counter, parts) then
    for i, message in ipairs(messages) do tellPart(counter, parts, message, partOf[i] or '${EVERY_PART}') end
  end
  if #messages > 1 and areJoinedTaken(channel, joined) then
    local changes = { string.sub(messages[1], 1, ${NUMBER_AT + NUMBER_LENGTH}), '${JOINED}' }
    for _, message in ipairs(messages) do
      local change = string.sub(message, ${NUMBER_AT + NUMBER_LENGTH + 1})
      changes[#changes + 1] = #change .. ':' .. change
    end
    return tellAll(joined, counter, table.concat(changes))
  end
  for _, message in ipairs(messages) do tellAll(channel, counter, message) end
end
`
