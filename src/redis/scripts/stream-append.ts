import { defineScript, type Script } from '../script.ts'
import { tellReaders } from './tell-readers.ts'

/**
 * Appends chunks to a run of a stream, or without chunks keeps it alive, and tells the processes that read it. Fenced: a run
 * whose life has run out, or that has lost its lease, appends nothing from then on. A run that a change of the entry has
 * detached from it goes on for its readers.
 *
 *     KEYS  1 lease   2 present   3 log   4 alive   5 readers
 *     ARGV  1 token   2 number of the first chunk   3 ms of life   4 ms for which the log is kept   5 topic
 *           6 '1' if PUBLISH counts every subscriber
 *           7 '', or how the run ends: 'end', the last frame tells how; 'release', it is given up; 'if-unread', the same
 *             unless a process reads it; or 'detach': its lease is about to end, and it goes on for its readers
 *           8 'resumable' or 'final', if it is given up   9… frames
 *
 * Replies how many processes read, or -1 if nothing was appended, now or earlier. Chunks that an earlier attempt appended
 * are not appended again.
 */
export const streamAppend: Script = defineScript(`
${tellReaders}
local token, index, lifetime, logFor, topic, counts = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6] == '1'
local over, isFinal = ARGV[7], ARGV[8] == 'final'
local isPresent = redis.pcall('GET', KEYS[2]) == token
local isAlive = redis.call('EXISTS', KEYS[4]) == 1
if not isAlive or (isPresent and redis.pcall('GET', KEYS[1]) ~= token) then
  redis.call('DEL', KEYS[4])
  return -1
end
local length = redis.call('LLEN', KEYS[3]) - 1
if length < index then
  redis.call('DEL', KEYS[4])
  return -1
end
local first = 9 + length - index
for i = first, #ARGV, 500 do redis.call('RPUSH', KEYS[3], unpack(ARGV, i, math.min(i + 499, #ARGV))) end
redis.call('PEXPIRE', KEYS[3], logFor)
redis.call('PEXPIRE', KEYS[4], lifetime)
if isPresent then redis.call('PEXPIRE', KEYS[2], logFor) end
if isPresent and over == 'detach' then redis.call('DEL', KEYS[2]) end
local message = first <= #ARGV and messageOf(length, first, #ARGV)
if over == 'release' then message = '' end
local reading = tellReaders(KEYS[5], topic, message, counts)
local isGivenUp = over == 'release' or (over == 'if-unread' and reading == 0)
if isGivenUp or over == 'end' then redis.call('DEL', KEYS[4]) end
if isPresent and (over == 'end' or (isGivenUp and isFinal)) then redis.call('DEL', KEYS[2]) end
-- How a stream has failed its log alone says in full; a whole one is an entry.
if (over == 'end' and reading == 0 and ARGV[#ARGV] == 'e') or (isGivenUp and isFinal) then redis.call('UNLINK', KEYS[3], KEYS[5]) end
return reading
`)
