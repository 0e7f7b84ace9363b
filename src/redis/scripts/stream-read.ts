import { defineScript, type Script } from '../script.ts'

/**
 * Reads a piece of a run of a stream and, if it names an inbox, registers the process for what follows. A log that is read
 * is kept.
 *
 *     KEYS  1 log   2 alive   3 readers   4 present
 *     ARGV  1 '' or the inbox to register   2 '' or the address under which it was registered before
 *           3 ms of the registration   4 least ms for which the log is kept   5 number of the first chunk
 *           6 most frames   7 bytes that are enough   8 token of the run
 *
 * Replies { ms of life, frames in the log, 1 if it is the entry's current run, frames… }. The life is 0 if the run ended
 * properly, and negative if its producer is gone. The number of frames in the log does not count the head, and is -1 if
 * there is no log. The first frame of the reply is the head.
 */
export const streamRead: Script = defineScript(`
local time = redis.call('TIME')
if ARGV[2] ~= '' then redis.call('ZREM', KEYS[3], ARGV[2]) end
if ARGV[1] ~= '' then
  redis.call('ZADD', KEYS[3], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3], ARGV[1])
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
local length = redis.call('LLEN', KEYS[1])
local isOver = length > 0 and string.sub(redis.call('LINDEX', KEYS[1], -1), 1, 1) == 'e'
local reply = { isOver and 0 or redis.call('PTTL', KEYS[2]), length - 1, redis.pcall('GET', KEYS[4]) == ARGV[8] and 1 or 0 }
if length == 0 then return reply end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
reply[4] = redis.call('LINDEX', KEYS[1], 0)
local from, left, bytes = ARGV[5] + 1, tonumber(ARGV[6]), 0
while left > 0 and bytes < tonumber(ARGV[7]) do
  local count = math.min(left, 32)
  local frames = redis.call('LRANGE', KEYS[1], from, from + count - 1)
  for _, frame in ipairs(frames) do
    reply[#reply + 1] = frame
    bytes = bytes + #frame
  end
  if #frames < count then break end
  from, left = from + count, left - count
end
return reply
`)
