/** ms for which the number of announced changes is remembered. When it is forgotten, all listeners treat that as a loss. */
const NUMBER_LIVES = 24 * 60 * 60 * 1000

/** Position of the number in a message of the backplane, in characters, and its length in hexadecimal digits. */
export const NUMBER_AT = 9
export const NUMBER_LENGTH = 13

/** Follows sender and number in a message with several changes. Before each change stand its length and a colon. */
export const JOINED = 'j'

/**
 * Lua functions that tell every process of changes. The messages of a channel have consecutive numbers, so that listeners
 * notice when one is missing. The first number is a time, so that they also notice when the last number was forgotten.
 *
 *     channel  of the backplane
 *     joined   channel of messages with several changes; '' if there are none
 *     counter  key of the last number; '' if messages have none
 *
 * `announce(channel, counter, message)`: one change.
 *
 * `announceAll(channel, joined, counter, messages)`: several changes of one sender, in one message if all listeners accept
 * that. Processes of earlier releases do not: they listen only to the channel.
 */
export const announcing: string = `
local function numbered(message, counter)
  if counter == '' then return message end
  local number = redis.pcall('INCR', counter)
  if type(number) ~= 'number' then return message end
  if number == 1 then
    local time = redis.call('TIME')
    number = time[1] * 1000000 + time[2]
    redis.call('SET', counter, string.format('%.0f', number))
  end
  redis.call('PEXPIRE', counter, ${NUMBER_LIVES})
  local digits = string.format('%0${NUMBER_LENGTH}x', number)
  return string.sub(message, 1, ${NUMBER_AT}) .. digits .. string.sub(message, ${NUMBER_AT + NUMBER_LENGTH + 1})
end
local function announce(channel, counter, message)
  redis.pcall('PUBLISH', channel, numbered(message, counter))
end
local function areJoinedTaken(channel, joined)
  if joined == '' then return false end
  local listening = redis.pcall('PUBSUB', 'NUMSUB', channel, joined)
  return not listening.err and listening[2] == listening[4]
end
local function announceAll(channel, joined, counter, messages)
  if #messages > 1 and areJoinedTaken(channel, joined) then
    local parts = { string.sub(messages[1], 1, ${NUMBER_AT + NUMBER_LENGTH}), '${JOINED}' }
    for _, message in ipairs(messages) do
      local change = string.sub(message, ${NUMBER_AT + NUMBER_LENGTH + 1})
      parts[#parts + 1] = #change .. ':' .. change
    end
    return announce(joined, counter, table.concat(parts))
  end
  for _, message in ipairs(messages) do announce(channel, counter, message) end
end
`
