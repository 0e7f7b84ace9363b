/** Most bytes of chunks in one message. Readers ask for more. */
const LARGEST_IN_MESSAGE = 64 * 1024

/** Precedes the address of a process whose inbox is not open yet. It asks again and again. */
export const NOT_READY = '?'

/**
 * Lua functions that tell the readers of a stream.
 *
 *     tellReaders(readers, topic, payload, counts)
 *         sends the payload to every registered process, and forgets those that cannot be reached; with `counts`, see
 *         `tell`, that shows at once. Returns how many processes read, including those that cannot be told yet.
 *     messageOf(index, first, last)
 *         the payload for the chunks in ARGV[first] to ARGV[last], the first of which has number `index`: the index, a
 *         space, and for each its length, a colon and its bytes; '' if that would be too much: then readers must ask
 */
export const tellReaders: string = `
local function tellReaders(readers, topic, payload, counts)
  local time = redis.call('TIME')
  redis.call('ZREMRANGEBYSCORE', readers, '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
  local reading = 0
  for _, inbox in ipairs(redis.call('ZRANGE', readers, 0, -1)) do
    local isShard = string.sub(inbox, 1, 1) == '{'
    local receivers = 1
    if payload and string.sub(inbox, 1, 1) ~= '${NOT_READY}' then
      local message = #topic .. ':' .. topic .. payload
      receivers = redis.pcall(isShard and 'SPUBLISH' or 'PUBLISH', 'herdlock:inbox:' .. inbox, message)
    end
    if receivers == 0 and (counts or isShard) then
      redis.call('ZREM', readers, inbox)
    else
      reading = reading + 1
    end
  end
  return reading
end
local function messageOf(index, first, last)
  local parts, bytes = { index, ' ' }, 0
  for i = first, last do
    bytes = bytes + #ARGV[i]
    if bytes > ${LARGEST_IN_MESSAGE} then return '' end
    parts[#parts + 1] = #ARGV[i] .. ':'
    parts[#parts + 1] = ARGV[i]
  end
  return table.concat(parts)
end
`
