import { defineScript, type Script } from '../script.ts'
import { tellReaders } from './tell-readers.ts'
import { touchTag } from './touch-tag.ts'

/**
 * Begins a run of a stream under the lease of its entry. If the entry has a current run, that run is over from now on: its
 * producer has lost the lease, and appends no more. With 'resume', its chunks are taken over, and the head notes how many
 * they are, and by whom, unless one of the tags has changed since it began.
 *
 *     KEYS  1 lease   2 present   3 log   4 alive   5 readers
 *     ARGV  1 token   2 'restart' or 'resume'   3 head   4 ms of life   5 ms for which the log is kept   6 topic
 *           7 '1' if PUBLISH counts every subscriber   8 how the keys of tags begin   9… tags
 *
 * Replies { head, chunks }, or { } if the caller does not have the lease. If sent twice, the second changes nothing, and does not
 * revive a run whose life has run out.
 */
export const streamBegin: Script = defineScript(`
${tellReaders}
${touchTag}
local function isOvertaken(log)
  local beganAt = tonumber(string.match(redis.call('LINDEX', log, 0), '^h%["[^"]*",(%d+)'))
  for i = 9, #ARGV do
    local text = redis.call('GET', ARGV[8] .. ARGV[i] .. '}')
    if text and beganAt and lastChangeOf(text) >= beganAt then return true end
  end
  return false
end
local token, logFor = ARGV[1], ARGV[5]
if redis.pcall('GET', KEYS[1]) ~= token then return {} end
local former = redis.call('GET', KEYS[2])
local counts, isTakenOver = ARGV[7] == '1', false
if former and former ~= token then
  local formerLog = string.sub(KEYS[3], 1, #KEYS[3] - #token) .. former
  redis.call('DEL', formerLog .. ':alive')
  if ARGV[2] == 'resume' and redis.call('EXISTS', formerLog) == 1 and not isOvertaken(formerLog) then
    redis.call('RENAME', formerLog, KEYS[3])
    local head = string.match(redis.call('LINDEX', KEYS[3], 0), '^(h%[.*)%]$')
    if head then redis.call('LSET', KEYS[3], 0, head .. ',' .. (redis.call('LLEN', KEYS[3]) - 1) .. ',"' .. token .. '"]') end
    isTakenOver = true
  else
    redis.call('UNLINK', formerLog)
  end
  tellReaders(formerLog .. ':readers', string.sub(ARGV[6], 1, #ARGV[6] - #token) .. former, '', counts)
end
if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('RPUSH', KEYS[3], ARGV[3]) end
redis.call('PEXPIRE', KEYS[3], logFor)
redis.call('SET', KEYS[2], token, 'PX', logFor)
if former ~= token or redis.call('EXISTS', KEYS[4]) == 1 then redis.call('SET', KEYS[4], '1', 'PX', ARGV[4]) end
if isTakenOver then tellReaders(KEYS[5], ARGV[6], '', counts) end
return { redis.call('LINDEX', KEYS[3], 0), redis.call('LLEN', KEYS[3]) - 1 }
`)
