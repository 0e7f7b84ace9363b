import { defineScript, type Script } from '../script.ts'

/**
 * Deletes a value unless it has changed since it was read.
 *
 *     KEYS  1 value
 *     ARGV  1 the bytes that were read
 *
 * Replies 1 if it was deleted, otherwise 0.
 */
export const deleteIfSame: Script = defineScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`)
