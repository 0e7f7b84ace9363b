/** ms for which it is remembered how many changes were told. When that is forgotten, all who listen take it for a loss. */
const NUMBER_LIVES = 24 * 60 * 60 * 1000

/** Where in a message of the backplane its number stands: after so many characters, in so many hexadecimal digits. */
export const NUMBER_AT = 9
export const NUMBER_LENGTH = 13

/** Stands after sender and number of a message that tells several changes. Each is preceded by its length and a colon. */
export const JOINED = 'j'

/**
 * Lua functions that tell every process of changes. Each message gets the number after that of the message before it on
 * its channel, so that whoever listens notices when one is missing. The first number is an instant: should the last one
 * be forgotten, that is noticed, too.
 *
 *     channel  of the backplane
 *     joined   where messages go that tell several changes; '' where there are none
 *     counter  key of the last number, '' where messages have none
 *
 * `announce(channel, counter, message)`: one change.
 *
 * `announceAll(channel, joined, counter, messages)`: several of one sender, by one message if everybody who listens takes
 * such messages. Processes of earlier releases do not: they listen to the channel alone.
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
